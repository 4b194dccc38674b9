import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ExecResult, Lab } from '../port/lab.ts';
import { EnvironmentError, UsageError } from '../verdict/errors.ts';
import { networksOf, toolVersions } from './header.ts';
import { readRecording } from './read-recording.ts';
import { LabRecorder } from './recorder.ts';
import { recordingFormat, recordingVersion } from './recording.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'outpost-recording-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A lab that answers with the words that it was asked; `hang` gives no answer, `bytes` prints what is no text. */
function echoLab(): Lab {
  let now = Date.UTC(2026, 0, 1);
  const run = async (container: string | undefined, argv: readonly string[]): Promise<ExecResult> => {
    const startedAt = now;
    now += 10;
    if (argv[0] === 'hang') throw new EnvironmentError('exec/timeout', 'hang gave no answer in 1 s');
    const isBytes = argv[0] === 'bytes';
    return {
      argv,
      container,
      stdout: isBytes ? '\uFFFD' : `${argv.join(' ')}\n`,
      stderr: '',
      ...(isBytes ? { bytes: { stdout: new Uint8Array([255]) } } : {}),
      exitCode: 0,
      startedAt,
      durationMs: 10,
    };
  };
  const nothing = async () => {};
  return {
    driver: 'live',
    clock: { now: () => now, sleep: nothing },
    exec: (argv) => run(undefined, argv),
    execIn: (container, argv) => run(container, argv),
    up: nothing,
    down: nothing,
    reset: nothing,
    status: async () => ({ isUp: true, detail: '' }),
  };
}

const header = {
  format: recordingFormat,
  version: recordingVersion,
  lab: 'small',
  title: 'Small',
  driver: 'live',
  note: 'live lab',
  seed: null,
  command: 'run',
  startedAt: '2026-01-01T00:00:00.000Z',
  outpost: '0.1.0',
  node: 'v20',
  tools: {},
  networks: { pods: [], services: [] },
} as const;

describe('a recording', () => {
  it('holds every command with its place, whole, as soon as it has ended', async () => {
    const recorder = new LabRecorder(join(folder, 'a/b'));
    recorder.begin(header);
    const lab = recorder.lab(echoLab());
    await lab.exec(['before']);
    recorder.startRun();
    recorder.at({ challenge: 'c', feature: 'f', scenario: 's', scenarioNumber: 2, step: 'it holds', line: 7 });
    const long = 'x'.repeat(3_000_000);
    await lab.execIn('r1', ['show', long], { stdin: 'in', env: { A: 'b' } });
    await expect(lab.exec(['hang'])).rejects.toThrow('hang gave no answer');
    await lab.exec(['bytes']);
    const read = readRecording(join(folder, 'a/b'));
    expect(read.header).toMatchObject({ lab: 'small', isComplete: false, exitCode: null });
    expect(read.commands.map(({ argv, stdout, exitCode, error, step }) => [argv[0], stdout?.length, exitCode, error, step])).toEqual([
      ['before', 7, 0, null, null],
      ['show', 3_000_006, 0, null, 'it holds'],
      ['hang', 0, null, 'hang gave no answer in 1 s', 'it holds'],
      ['bytes', 'base64:/w==\n'.length, 0, null, 'it holds'],
    ]);
    expect(read.commands[1]).toMatchObject({ n: 2, phase: 'run', container: 'r1', stdin: 'in', env: { A: 'b' }, challenge: 'c', line: 7 });
    recorder.end({ exitCode: 0, notModelled: ['x'] });
    expect(readRecording(join(folder, 'a/b')).header).toMatchObject({ isComplete: true, exitCode: 0, notModelled: ['x'] });
  });

  it('of a run that was killed is read up to where it was cut', async () => {
    const recorder = new LabRecorder(folder);
    recorder.begin(header);
    await recorder.lab(echoLab()).exec(['one']);
    appendFileSync(join(folder, 'commands.ndjson'), '{"n":2,"argv":["tw');
    expect(readRecording(folder).commands.map(({ argv }) => argv)).toEqual([['one']]);
    appendFileSync(join(folder, 'commands.ndjson'), '\n{}\n');
    expect(() => readRecording(folder)).toThrow(/commands\.ndjson:2: this line is no command of a recording/);
  });

  it('takes the place of an earlier one, and of nothing else', () => {
    new LabRecorder(folder).begin(header);
    new LabRecorder(folder).begin(header);
    writeFileSync(join(folder, 'notes.txt'), 'mine');
    const before = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
    expect(() => new LabRecorder(folder)).toThrow(UsageError);
    expect(() => new LabRecorder(join(folder, 'notes.txt'))).toThrow(/--record takes a folder, and .*notes\.txt is a file/);
    expect(() => new LabRecorder('')).toThrow('--record takes a folder, and got none');
    expect(readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'))).toEqual(before);
    mkdirSync(join(folder, 'foreign'));
    writeFileSync(join(folder, 'foreign/recording.json'), '{"format":"a song"}');
    expect(() => new LabRecorder(join(folder, 'foreign'))).toThrow(/is not empty, and what is in it is no recording/);
  });

  it('that cannot be written on says so, and does not stop the run', async () => {
    new LabRecorder(folder).begin(header);
    rmSync(join(folder, 'commands.ndjson'));
    symlinkSync('/dev/full', join(folder, 'commands.ndjson'));
    const recorder = new LabRecorder(folder);
    recorder.begin(header);
    const { stdout } = await recorder.lab(echoLab()).exec(['one']);
    recorder.end({ exitCode: 0, notModelled: [] });
    expect([stdout, recorder.failure?.exitCode, recorder.failure?.shortMessage]).toEqual([
      'one\n',
      3,
      `the recording cannot be written to ${folder}: no space is left`,
    ]);
  });
});

describe('what is no recording is told as such', () => {
  it.each([
    ['a missing path', 'nope', /nope is no recording: there is no such file or folder/],
    ['a folder', '.', /is no recording: it has no recording\.json/],
    ['a text', 'text', /text is no recording: it is no JSON list of commands with their outputs/],
    ['a later version', 'later', /later is a recording of version 2; this outpost reads 1/],
  ])('%s', (_name, path, message) => {
    writeFileSync(join(folder, 'text'), 'hello');
    mkdirSync(join(folder, 'later'));
    writeFileSync(join(folder, 'later/recording.json'), JSON.stringify({ format: recordingFormat, version: 2 }));
    expect(() => readRecording(join(folder, path))).toThrow(message);
  });
});

it('asks tools for their versions, and leaves out those that do not say', async () => {
  expect(
    await toolVersions({
      ...echoLab(),
      exec: async (argv) => ({ ...(await echoLab().exec(argv)), stdout: `${argv[0]} 1.2\n`, exitCode: argv[0] === 'kind' ? 1 : 0 }),
    }),
  ).toEqual({
    docker: 'docker 1.2',
    kubectl: 'kubectl 1.2',
    helm: 'helm 1.2',
    cilium: 'cilium 1.2',
    hubble: 'hubble 1.2',
    curl: 'curl 1.2',
  });
});

it.each([
  ['kind chooses', {}, undefined, ['10.244.0.0/16', 'fd00:10:244::/56'], ['10.96.0.0/16', 'fd00:10:96::/112']],
  [
    'the cluster says',
    { networking: { podSubnet: '198.51.100.0/24, 2001:db8::/48', serviceSubnet: '203.0.113.0/24' } },
    { ipam: { mode: 'kubernetes' } },
    ['198.51.100.0/24', '2001:db8::/48'],
    ['203.0.113.0/24'],
  ],
  [
    "Cilium's pool is",
    {},
    { ipam: { operator: { clusterPoolIPv4PodCIDRList: ['198.51.100.0/24'] } } },
    ['198.51.100.0/24'],
    ['10.96.0.0/16', 'fd00:10:96::/112'],
  ],
])('ranges of pods and services are as %s', (_name, kind, values, pods, services) => {
  expect(networksOf(kind, values)).toEqual({ pods, services });
});
