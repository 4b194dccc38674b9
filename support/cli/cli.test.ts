import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const clone = resolve(import.meta.dirname, '../..');

let lab = '';
beforeAll(() => {
  lab = mkdtempSync(join(tmpdir(), 'outpost-cli-'));
});
afterAll(() => rmSync(lab, { recursive: true }));

/** Writes a small lab: one node, one challenge with one task, and a feature that passes. */
function writeLab(files: Readonly<Record<string, string>> = {}): void {
  rmSync(lab, { recursive: true });
  const content = {
    'lab/lab.yaml': [
      'name: small',
      'title: A small lab',
      'cluster: cluster.yaml',
      'home: home',
      'challenges:',
      '  - name: first',
      '    title: First steps',
      '    feature: ../features/first.feature',
      '    tasks:',
      '      - { name: nodes, title: The nodes are ready, points: 3, hint: kubectl get nodes }',
      '',
    ].join('\n'),
    'lab/cluster.yaml': 'kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nname: small\nnodes:\n  - role: control-plane\n',
    'lab/home/web.yaml': 'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: web\n',
    'features/first.feature':
      'Feature: First\n\n  @task-nodes\n  Scenario: The namespace is made\n    When "web.yaml" is applied\n    Then these nodes are Ready within 1 minute:\n      | node                |\n      | small-control-plane |\n',
    ...files,
  };
  for (const [name, text] of Object.entries(content)) {
    mkdirSync(join(lab, name, '..'), { recursive: true });
    writeFileSync(join(lab, name), text);
  }
}

async function outpost(...words: readonly string[]) {
  const { exitCode, stdout, stderr } = await execa(process.execPath, [join(clone, 'support/cli/outpost.mjs'), ...words], {
    cwd: lab,
    reject: false,
    input: '',
  });
  return { exitCode, stdout, stderr };
}

const feature = (step: string, tags = '@task-nodes') => `Feature: First\n\n  ${tags}\n  Scenario: It holds\n    Then ${step}\n`;

describe('wrong usage ends with 2 and one line', () => {
  beforeAll(() => writeLab());
  it.each([
    [['frobnicate'], /^outpost: unknown command 'frobnicate'$/],
    [['run', '--bogus'], /^outpost: unknown option '--bogus'$/],
    [['run', '--seed', 'many'], /^outpost: option '--seed <number>' argument 'many' is invalid\. must be a whole number\.$/],
    [
      ['run', '--driver', 'vm'],
      /^outpost: option '--driver <driver>' argument 'vm' is invalid\. Allowed choices are auto, live, simulator\.$/,
    ],
    [['solve'], /^outpost: missing required argument 'challenge'$/],
    [['solve', 'second', '--lab', '.'], /^outpost: there is no challenge "second"\n {2}why: challenges of this lab: first$/],
    [['list', '--lab', 'nowhere'], /^outpost: there is no folder nowhere\n/],
    [
      ['run', 'features/second.feature', '--lab', '.'],
      /^outpost: there is no feature features\/second\.feature\n {2}why: features of this lab: features\/first\.feature$/,
    ],
  ])('outpost %j', async (words, message) => {
    const { exitCode, stdout, stderr } = await outpost(...words);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(message);
  });
});

describe('broken content ends with 4 and says where', () => {
  it.each<[string, Record<string, string>, string]>([
    [
      'an undefined step',
      { 'features/first.feature': feature('the nodes are fine') },
      'outpost: features/first.feature:5: no step definition fits "the nodes are fine"',
    ],
    [
      'a feature that is no Gherkin',
      { 'features/first.feature': 'Feature: x\n\n  Scenario: y\n    Given z\n    Whn z\n' },
      'outpost: features/first.feature:5: not valid Gherkin: expected',
    ],
    [
      'a scenario whose steps are none',
      { 'features/first.feature': 'Feature: x\n\n  Scenario: y\n    Whn z\n' },
      'outpost: features/first.feature:3: the scenario "y" has no steps',
    ],
    [
      'a tag that names no task',
      { 'features/first.feature': feature('every pod of the cluster is managed by Cilium within 1 second', '@task-node') },
      'outpost: features/first.feature:4: the tag @task-node means nothing',
    ],
    [
      'a task that no scenario checks',
      { 'features/first.feature': feature('every pod of the cluster is managed by Cilium within 1 second', '@slow') },
      'outpost: lab/lab.yaml: task "nodes" of first has no scenario',
    ],
    [
      'a file that is not there',
      { 'features/first.feature': 'Feature: x\n\n  @task-nodes\n  Scenario: y\n    When "wep.yaml" is applied\n' },
      'outpost: features/first.feature:5: wep.yaml is not in the home of the lab',
    ],
  ])('%s', async (_name, files, message) => {
    writeLab(files);
    const { exitCode, stdout, stderr } = await outpost('validate', '--lab', '.');
    expect({ exitCode, stdout }).toEqual({ exitCode: 4, stdout: '' });
    expect(stderr.startsWith(message)).toBe(true);
    expect(stderr).not.toMatch(/^ {4}at /m);
  });
});

describe('content in order', () => {
  beforeAll(() => writeLab());

  it('is validated without a lab', async () => {
    expect(await outpost('validate', '--lab', '.')).toEqual({
      exitCode: 0,
      stdout: 'small: 1 challenges, 1 scenarios and 2 steps are in order',
      stderr: '',
    });
  });

  it('is listed', async () => {
    const { stdout } = await outpost('list', '--lab', '.');
    expect(stdout).toBe('A small lab\n\nfirst  First steps\n    3  nodes            The nodes are ready');
    const { stdout: json } = await outpost('list', '--lab', '.', '--json');
    expect(JSON.parse(json)).toMatchObject({ name: 'small', challenges: [{ name: 'first', tasks: [{ name: 'nodes', points: 3 }] }] });
  });
});

describe('a run', () => {
  beforeAll(() => writeLab());

  it('that holds ends with 0, and its JSON is all of standard output', async () => {
    const { exitCode, stdout, stderr } = await outpost('run', '--lab', '.', '--driver', 'simulator', '--json');
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      lab: 'small',
      driver: 'simulator',
      seed: 1,
      exitCode: 0,
      fault: null,
      points: 3,
      earned: 3,
      counts: { passed: 1, failed: 0, skipped: 0 },
      challenges: [
        {
          name: 'first',
          outcome: 'passed',
          tasks: [{ name: 'nodes', outcome: 'passed', earned: 3 }],
          scenarios: [{ name: 'The namespace is made', steps: 2 }],
        },
      ],
    });
    expect(stderr).toContain('1 passed, 0 failed   3 of 3 points');
    expect(existsSync(join(lab, 'reports/cucumber.html'))).toBe(true);
  });

  it('with the same seed gives the same evidence', async () => {
    const evidence = async (folder: string) => {
      await outpost('run', '--lab', '.', '--driver', 'simulator', '--seed', '7', '--reports', folder);
      return readFileSync(join(lab, folder, 'evidence.txt'), 'utf8');
    };
    expect(await evidence('first-reports')).toBe(await evidence('second-reports'));
  });

  it('that does not hold ends with 1, and says what was expected, seen, and what to look at', async () => {
    writeLab({ 'features/first.feature': feature('node "small-control-plane" has the label "role=edge" within 1 second') });
    const { exitCode, stdout } = await outpost('run', '--lab', '.', '--driver', 'simulator');
    expect(exitCode).toBe(1);
    expect(stdout).toContain('0 passed, 1 failed   0 of 3 points');
    expect(stdout).toContain(
      [
        'First failure: a check did not hold',
        '  First: It holds',
        '  features/first.feature:5: Then node "small-control-plane" has the label "role=edge" within 1 second',
        '    expected node small-control-plane labelled role=edge',
        '      saw: no label role (after 1 s)',
        '      look at: kubectl get node small-control-plane --show-labels',
        '  hint: kubectl get nodes',
      ].join('\n'),
    );
  });

  it('that cannot be judged ends with 3, and costs nobody a mark', async () => {
    const step = 'router "small-control-plane" has these neighbors established within 1 second:';
    writeLab({
      'lab/home/web.yaml':
        'apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: web\nspec:\n  defaultBackend: { service: { name: a, port: { number: 80 } } }\n',
      'features/first.feature': `${feature(step)}      | neighbor  |\n      | 192.0.2.1 |\n`.replace(
        'Then',
        'When "web.yaml" is applied\n    Then',
      ),
    });
    const { exitCode, stdout } = await outpost('run', '--lab', '.', '--driver', 'simulator');
    expect(exitCode).toBe(3);
    expect(stdout).toContain('First failure: the lab could not be judged (not your fault)');
    expect(stdout).toContain('    vtysh cannot be run in small-control-plane: ');
    // What the simulator leaves out is told once, in the summary and in each report.
    const left = 'Ingress is stored, but no controller serves it';
    expect(stdout).toContain(`Not simulated, so not judged as the real lab would:\n  - ${left}\n`);
    const report = (name: string) => readFileSync(join(lab, 'reports', name), 'utf8');
    expect(report('evidence.txt').endsWith(`\n## Not simulated\n\n- ${left}\n`)).toBe(true);
    expect(report('junit.xml')).toContain(`<system-out>Not simulated:&#10;${left}</system-out>\n</testsuite>`);
    expect(report('cucumber.html')).toContain(`<li>${left}</li>`);
  });

  it('of a container that the lab does not have is the fault of its content', async () => {
    writeLab({
      'features/first.feature': feature('device "eth9" of node "small-control-plain" has the address "192.0.2.1/24" within 1 second'),
    });
    const { exitCode, stderr } = await outpost('run', '--lab', '.', '--driver', 'simulator');
    expect({ exitCode, stderr }).toEqual({
      exitCode: 4,
      stderr: [
        'outpost: features/first.feature:5: the lab has no container "small-control-plain"',
        '  why: lab/cluster.yaml says which it has: small-control-plane',
        '  mend: did you mean small-control-plane?',
      ].join('\n'),
    });
  });

  it('is recorded, and its recording differs from that of another lab in what differs', async () => {
    writeLab();
    const record = (folder: string) => outpost('run', '--lab', '.', '--driver', 'simulator', '--record', folder);
    expect((await record('rec/a')).exitCode).toBe(0);
    const header = JSON.parse(readFileSync(join(lab, 'rec/a/recording.json'), 'utf8')) as Record<string, unknown>;
    expect(header).toMatchObject({
      format: 'outpost-recording',
      version: 1,
      lab: 'small',
      seed: 1,
      isComplete: true,
      exitCode: 0,
      notModelled: [],
    });
    const [first = ''] = readFileSync(join(lab, 'rec/a/commands.ndjson'), 'utf8').split('\n');
    expect(JSON.parse(first)).toMatchObject({
      n: 1,
      challenge: 'first',
      feature: 'features/first.feature',
      scenario: 'The namespace is made',
      scenarioNumber: 1,
      step: '"web.yaml" is applied',
      line: 5,
      phase: 'run',
      container: null,
      argv: ['kubectl', 'apply', '-f', 'web.yaml'],
      stdout: 'namespace/web created\n',
      exitCode: 0,
      durationMs: 65,
    });
    const web = readFileSync(join(lab, 'lab/home/web.yaml'), 'utf8');
    writeFileSync(join(lab, 'lab/home/web.yaml'), web.replace('name: web', 'name: other'));
    expect((await record('rec/b')).exitCode).toBe(0);
    const { exitCode, stdout } = await outpost('drift', 'rec/a', 'rec/b');
    expect({ exitCode, stdout }).toEqual({
      exitCode: 1,
      stdout: [
        '--- A rec/a (small, simulator, seed 1)',
        '+++ B rec/b (small, simulator, seed 1)',
        '',
        'first: The namespace is made',
        '  "web.yaml" is applied',
        '  $ kubectl apply -f web.yaml   output',
        '    - namespace/web created',
        '    + namespace/other created',
        '',
        '                              same  different  only in A  only in B',
        'first: The namespace is made     1          1          -          -',
        '',
        '1 of 2 commands differs',
      ].join('\n'),
    });
  });
});

describe('a shell', () => {
  beforeAll(() => writeLab());

  it('runs a script and ends as it ends', async () => {
    expect(await outpost('shell', '--lab', '.', '-c', 'cat web.yaml | head -1; exit 7')).toEqual({
      exitCode: 7,
      stdout: 'apiVersion: v1',
      stderr: '',
    });
  });

  it('starts where a challenge starts', async () => {
    writeLab({
      'lab/lab.yaml':
        'name: small\ncluster: cluster.yaml\nhome: home\nchallenges:\n  - { name: first, feature: ../features/first.feature }\n  - { name: second, feature: ../features/first.feature }\n',
    });
    const namespaces = async (challenge: string) =>
      (await outpost('shell', '--lab', '.', '--at', challenge, '-c', 'kubectl get ns -o name')).stdout.split('\n');
    expect(await namespaces('first')).not.toContain('namespace/web');
    expect(await namespaces('second')).toContain('namespace/web');
  });
});

describe('the reference lab', () => {
  it('is in order', async () => {
    const { exitCode, stderr } = await outpost('validate');
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  });
});
