import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { loadLab } from '../content/lab.ts';
import { compareRecordings } from '../recording/drift.ts';
import { networksOf } from '../recording/header.ts';
import { readRecording, typedCommand } from '../recording/read-recording.ts';
import { type Recording, recordingFormat, recordingVersion } from '../recording/recording.ts';
import { SimulatedLab } from '../simulator/host/simulator.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** What the real lab printed and the simulator does not, by number of the command, and why. */
const known: ReadonlyMap<number, { readonly line: RegExp; readonly why: string }> = new Map(
  [13, 14].map((n) => [
    n,
    { line: /^<timestamp> \[hubble-relay-<suffix>\]: 2 nodes are unavailable: /, why: "the recorded lab's relay had lost two nodes" },
  ]),
);

it('a simulated session drifts from the recorded one where it is known to, and nowhere else', async () => {
  const real = readRecording(`${root}/support/testdata/transcript/discovery-lab.json`);
  const definition = loadLab(root);
  const lab = new SimulatedLab(definition, 1);
  await lab.up();
  const session = lab.openShell();
  const commands = [];
  for (const { challenge, argv } of real.commands) {
    const command = argv[2] ?? '';
    const { stdout, stderr, exitCode } = await session.run(command, { isTerminal: true });
    commands.push(typedCommand({ ...(challenge === null ? {} : { challenge }), command, output: `${stdout}${stderr}`, exit: exitCode }));
  }
  const simulated: Recording = {
    path: 'simulated',
    header: {
      format: recordingFormat,
      version: recordingVersion,
      lab: definition.name,
      title: definition.title,
      driver: 'simulator',
      note: 'simulator, seed 1',
      seed: 1,
      command: 'run',
      startedAt: '',
      outpost: '',
      node: '',
      tools: {},
      networks: networksOf(definition.cluster.documents[0], definition.cilium?.values?.documents[0] ?? {}),
      isComplete: true,
      exitCode: 0,
      notModelled: [],
    },
    commands,
  };
  const drift = compareRecordings(real, simulated);
  const differing = drift.comparisons.filter(({ kind }) => kind !== 'same');
  expect(differing.map(({ command }) => real.commands.findIndex(({ argv }) => argv[2] === command) + 1)).toEqual([...known.keys()]);
  for (const { diff, what } of differing) {
    expect(what).toEqual(['output']);
    const lost = diff.filter(({ kind }) => kind === 'removed').map(({ text }) => text);
    expect(lost).toEqual([expect.stringMatching(known.get(13)?.line ?? /$^/)]);
    // With all nodes connected the sender's side is seen as well.
    for (const { text } of diff.filter(({ kind }) => kind === 'added'))
      expect(text).toMatch(/^<timestamp>: .* (to-network FORWARDED|post-xlate-fwd TRANSLATED) /);
  }
});
