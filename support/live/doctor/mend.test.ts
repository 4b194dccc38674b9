import { describe, expect, it } from 'vitest';
import { EnvironmentError } from '../../verdict/errors.ts';
import { evaluate } from './evaluate.ts';
import type { Facts } from './facts.ts';
import { healthy } from './healthy.fixture.ts';
import { judgeMends, mendAll } from './mend.ts';

const watches = 'fs.inotify.max_user_watches';
const few = { sysctls: { ...healthy.sysctls, [watches]: '8192' } };
const stopped = { nodes: { stopped: ['demo-control-plane', 'demo-worker'], moved: [] } };
const elsewhere = { kubeContext: 'production' };
const start = 'docker start demo-control-plane demo-worker';
const kubeconfig = 'kind export kubeconfig --name demo';
const setting = `sysctl -w ${watches}=524288`;
const fewProblem = 'too few inotify watches for kind nodes';
const stoppedProblem = 'demo-control-plane, demo-worker do not run';
const contextProblem = 'kubectl talks to another cluster';

/** What a machine does with the mends of what is found on it, one line each: those that did not work with the reason. */
async function mended(facts: Partial<Facts>, over: { isRoot?: boolean; isBusy?: boolean; refused?: Record<string, string> } = {}) {
  const calls: string[] = [];
  const mends = await mendAll(evaluate({ ...healthy, ...facts }), {
    isRoot: over.isRoot ?? false,
    run: async (argv) => {
      const line = argv.join(' ');
      calls.push(line);
      const stderr = Object.entries(over.refused ?? {}).find(([program]) => line.startsWith(program))?.[1];
      if (stderr === 'ENOENT') throw new EnvironmentError('exec/not-run', `${argv[0]} could not be run: ENOENT`);
      return { stdout: '', stderr: stderr ?? '', exitCode: stderr === undefined ? 0 : 1 };
    },
    lock: async () => {
      if (over.isBusy === true) throw new EnvironmentError('lab/busy', 'another command works on this lab: outpost run (process 7)');
      calls.push('(lab taken)');
      return () => void calls.push('(lab given back)');
    },
  });
  return { calls, mends: mends.map(({ problem, command, failure }) => [problem, command, ...(failure === undefined ? [] : [failure])]) };
}

describe('the mends of the doctor', () => {
  it.each<[string, Parameters<typeof mended>, Awaited<ReturnType<typeof mended>>]>([
    [
      'set the machine before they start what counts on it, and start nodes before they ask one for its kubeconfig',
      [{ ...elsewhere, ...stopped, ...few }],
      {
        calls: [`sudo -n ${setting}`, '(lab taken)', start, kubeconfig, '(lab given back)'],
        mends: [
          [fewProblem, `sudo -n ${setting}`],
          [stoppedProblem, start],
          [contextProblem, kubeconfig],
        ],
      },
    ],
    [
      'need no sudo as root, and no lab for the machine alone',
      [few, { isRoot: true }],
      { calls: [setting], mends: [[fewProblem, setting]] },
    ],
    [
      'go on after one that is refused, cannot be run, or says nothing',
      [{ ...few, ...stopped, ...elsewhere }, { refused: { sudo: 'sudo: a password is required\n', docker: 'ENOENT', kind: '' } }],
      {
        calls: [`sudo -n ${setting}`, '(lab taken)', start, kubeconfig, '(lab given back)'],
        mends: [
          [fewProblem, `sudo -n ${setting}`, 'sudo: a password is required'],
          [stoppedProblem, start, 'docker could not be run: ENOENT'],
          [contextProblem, kubeconfig, 'exit status 1'],
        ],
      },
    ],
    [
      'tell all that a tool said in one line',
      [stopped, { refused: { docker: 'Error response from daemon: no space\nError: failed to start containers: demo-worker\n' } }],
      {
        calls: ['(lab taken)', start, '(lab given back)'],
        mends: [[stoppedProblem, start, 'Error response from daemon: no space; Error: failed to start containers: demo-worker']],
      },
    ],
    [
      'leave a lab alone on which another command works',
      [{ ...few, ...stopped }, { isBusy: true }],
      {
        calls: [`sudo -n ${setting}`],
        mends: [
          [fewProblem, `sudo -n ${setting}`],
          [stoppedProblem, start, 'another command works on this lab: outpost run (process 7)'],
        ],
      },
    ],
    [
      "leave somebody else's cluster alone",
      [{ ...stopped, ...elsewhere, clusters: { others: [], isForeign: true } }],
      { calls: [], mends: [] },
    ],
    [
      'leave nodes alone that docker and kind would look for on another engine',
      [{ ...stopped, ...elsewhere, otherEngine: { context: 'rootless', host: 'unix:///run/user/1000/docker.sock' } }],
      { calls: [], mends: [] },
    ],
    [
      'leave to the user what asks, installs, or takes something away',
      [
        {
          tools: { ...healthy.tools, kind: null },
          clab: { stopped: ['clab-x-r1'], lostLinks: ['clab-x-r2:net0'], missing: ['clab-x-r3'] },
          droppingRules: ['iptables -A DOCKER-USER -j DROP'],
          foreignPrefixes: [{ prefix: '192.0.2.0/25', owner: 'Docker network "web"' }],
          freeDiskBytes: 1,
          nodes: { stopped: [], moved: [{ node: 'demo-worker', was: ['192.0.2.3'], is: [] }] },
        },
      ],
      { calls: [], mends: [] },
    ],
  ])('%s', async (_name, [facts, over], expected) => {
    expect(await mended(facts, over)).toEqual(expected);
  });

  it('are not said to have helped where the same is found again', () => {
    const mend = { code: 'inotify/watches', problem: fewProblem, command: setting };
    const refused = { code: 'node/stopped', problem: stoppedProblem, command: start, failure: 'no space' };
    expect(judgeMends([mend, refused], evaluate({ ...healthy, ...few, ...stopped }))).toEqual([
      { ...mend, failure: 'it ended well, and changed nothing' },
      refused,
    ]);
    expect(judgeMends([mend], evaluate(healthy))).toEqual([mend]);
  });

  it('are not begun after an interrupt', async () => {
    const interrupted = new EnvironmentError('run/interrupted', 'interrupted');
    const run = async () => Promise.reject(interrupted);
    await expect(mendAll(evaluate({ ...healthy, ...few }), { run, isRoot: true, lock: async () => () => undefined })).rejects.toBe(
      interrupted,
    );
  });
});
