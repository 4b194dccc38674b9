import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { masked } from './show-mask.ts';
import { showPlans } from './show-plans.ts';
import { observeSimulated } from './simulated-network.ts';

interface RecordedStage {
  readonly stage: string;
  readonly shows: Readonly<Record<string, string>>;
}

const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`../testdata/differential/${name}.json`, import.meta.url), 'utf8')) as readonly RecordedStage[];

describe('show commands print what FRR 8.4.4 prints', () => {
  for (const [name, plan] of Object.entries(showPlans)) {
    const recorded = read(name);
    const cases = recorded.flatMap(({ stage, shows }) => Object.entries(shows).map(([command, text]) => ({ stage, command, text })));
    let seen: ReturnType<typeof observeSimulated> | undefined;
    it.each(cases)(`${name}, $stage: $command`, async ({ stage, command, text }) => {
      seen ??= observeSimulated(plan);
      const views = await seen;
      expect(masked(views.find((view) => view.stage === stage)?.shows?.[command] ?? '(not run)')).toBe(masked(text));
    });
  }
});
