import type { StageView } from './observation.ts';
import type { Plan, Stage } from './plan.ts';

/** Long enough for a table that goes round: such ones change ten times a second and more. */
const laterSeconds = 4;

/**
 * The plan with two looks at the tables' versions in each stage: some networks never come to rest. A router's path whose next hop is reached
 * by way of the very route that the path replaces, or an echo that is preferred to what it is the echo of, comes and goes for ever, in real
 * routers too. What a look sees of it is chance; which tables go round is not.
 * @param stages how many of the plan's
 */
export function withLaterLooks(plan: Plan, stages = plan.stages.length): Plan {
  const shows = plan.routers.flatMap(({ name }) =>
    ['ipv4', 'ipv6'].map((family) => ({ machine: name, command: `show bgp ${family} unicast summary json` })),
  );
  return {
    ...plan,
    stages: plan.stages.slice(0, stages).flatMap((stage): readonly Stage[] => [
      { ...stage, shows },
      { name: `${stage.name}, later`, actions: [], settleSeconds: laterSeconds, shows },
    ]),
  };
}

/** The tables that changed between the two looks of a stage, as `STAGE: ROUTER FAMILY`. */
export function movingTables(views: readonly StageView[]): readonly string[] {
  return views.flatMap(({ stage, shows = {} }, index) => {
    if (index % 2 !== 0) return [];
    const later = views[index + 1]?.shows ?? {};
    return Object.keys(shows)
      .filter((command) => versionOf(shows[command]) !== versionOf(later[command]))
      .map((command) => `${stage}: ${command.replace(/# show bgp (\S+) .*/, ' $1')}`);
  });
}

function versionOf(summary = ''): string {
  return /"tableVersion": ?(\d+)/.exec(summary)?.[1] ?? '';
}
