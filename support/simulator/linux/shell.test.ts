import { beforeEach, describe, expect, it } from 'vitest';
import { createTestbed, type Testbed } from './testbed.ts';

describe('a terminal session', () => {
  let testbed: Testbed;
  beforeEach(() => {
    testbed = createTestbed();
  });

  interface Case {
    readonly name: string;
    /** Scripts typed one after the other; the output of the last is looked at. */
    readonly scripts: readonly string[];
    readonly stdout?: string;
    readonly stderr?: string;
    readonly exitCode?: number;
  }

  it.each<Case>([
    { name: 'keeps variables', scripts: ['X=5', 'echo $X'], stdout: '5\n' },
    { name: 'keeps what a substitution gave', scripts: ['NAME=$(hostname)', 'echo "<$NAME>"'], stdout: '<machine>\n' },
    { name: 'keeps the folder', scripts: ['mkdir -p /tmp/a/b && cd /tmp/a', 'cd b; pwd', 'pwd'], stdout: '/tmp/a/b\n' },
    { name: 'keeps functions', scripts: ['greet() { echo "hi $1"; }', 'greet you'], stdout: 'hi you\n' },
    { name: 'keeps aliases', scripts: ['shopt -s expand_aliases; alias hi="echo hello"', 'hi there'], stdout: 'hello there\n' },
    {
      name: 'keeps aliases without asking, as an interactive shell',
      scripts: ["alias hi='echo hello'", 'hi there'],
      stdout: 'hello there\n',
    },
    {
      name: 'finds processes by name',
      scripts: ['pgrep -x init; pidof init; pgrep nothing; pgrep -a init'],
      stdout: '1\n1\n1 /sbin/init\n',
    },
    {
      name: 'runs a script only when it is executable',
      scripts: ["printf '#!/bin/sh\necho hi\n' > s; chmod +x s; cp s t; ./t; chmod -x t; ./t"],
      stdout: 'hi\n',
      stderr: 'bash: ./t: Permission denied\n',
      exitCode: 126,
    },
    { name: 'runs a trap at the end of a script', scripts: [`bash -c 'trap "echo bye" EXIT; echo hi'`], stdout: 'hi\nbye\n' },
    { name: 'names the traps that it has not', scripts: ['trap "echo bye" ERR'], stderr: 'bash: trap: not simulated: ERR\n', exitCode: 1 },
    { name: 'forgets what is unset', scripts: ['X=5', 'unset X', 'echo "<$X>"'], stdout: '<>\n' },
    { name: 'knows the last status', scripts: ['false', 'echo $?'], stdout: '1\n' },
    { name: 'knows the status of our own commands', scripts: ['ip link show nope', 'echo $?'], stdout: '1\n' },
    { name: 'gives back a status', scripts: ['exit 7'], exitCode: 7 },
    {
      name: 'splits the expanded first word of a command',
      scripts: ['X="echo a  b"; $X c; L=(echo "d  e"); "${L[@]}"; for i in 1; do Y=2 $X; done; $(echo echo) f; $X again'],
      stdout: 'a b c\nd  e\na b\nf\na b again\n',
    },
    {
      name: 'does not split a quoted first word',
      scripts: ['X="echo a"; "$X" b'],
      stderr: 'bash: echo a: command not found\n',
      exitCode: 127,
    },
    { name: 'joins continued lines', scripts: ['echo a \\\n  b'], stdout: 'a b\n' },
    { name: 'pipes characters outside of ASCII', scripts: ["printf '/¯¯\\\\\\n' | cat | grep ¯"], stdout: '/¯¯\\\n' },
    { name: 'stops at the first failure with set -e', scripts: ['set -e; false; echo no'], exitCode: 1 },
    { name: 'has a PIPESTATUS', scripts: ['false | true; echo ${PIPESTATUS[0]}'], stdout: '1\n' },
    { name: 'writes and reads files', scripts: ['echo hello > /tmp/x', 'cat < /tmp/x; cat /tmp/x'], stdout: 'hello\nhello\n' },
    {
      name: 'keeps what was printed before a time limit',
      scripts: [
        'timeout 2 sh -c "echo a; sleep 10; echo b"; timeout 2.5 sh -c "for i in 1 2 3 4; do echo \\$i; sleep 1; done; echo end"; echo $?',
      ],
      stdout: 'a\n1\n2\n3\n124\n',
    },
    {
      name: 'says that nothing runs in the background',
      scripts: ['sleep 1 & echo "a & b" 2>&1 && date +%T'],
      stdout: 'a & b\n08:00:01\n',
      stderr: "bash: not simulated: processes in the background; what follows 'sleep 1 &' began when it had ended\n",
    },
    { name: 'sees the files of the kernel', scripts: ['cat /proc/sys/net/ipv4/ip_forward'], stdout: '1\n' },
    {
      name: 'finds programs',
      scripts: ['which docker ip; command -v curl; type nope'],
      stdout: '/usr/bin/docker\n/usr/bin/ip\n/usr/bin/curl\n',
      stderr: 'bash: type: nope: not found\n',
      exitCode: 1,
    },
    { name: 'says when there is no such command', scripts: ['nope --x'], stderr: 'bash: nope: command not found\n', exitCode: 127 },
    {
      name: 'runs programs by their path',
      scripts: ['/usr/sbin/ip -br link | head -1'],
      stdout: 'lo               UNKNOWN        00:00:00:00:00:00 <LOOPBACK,UP,LOWER_UP> \n',
    },
    {
      name: 'runs scripts',
      scripts: ['printf \'#!/bin/bash\\necho "$0: $1 $2"\\n\' > /tmp/s.sh; chmod +x /tmp/s.sh', '/tmp/s.sh a "b c"'],
      stdout: '/tmp/s.sh: a b c\n',
    },
    {
      name: 'runs xargs with our commands',
      scripts: ['echo lo | xargs ip -br link show'],
      stdout: 'lo               UNKNOWN        00:00:00:00:00:00 <LOOPBACK,UP,LOWER_UP> \n',
    },
    { name: 'has a here-document', scripts: ['cat <<EOF\na $((1+2))\nEOF'], stdout: 'a 3\n' },
    { name: 'processes JSON', scripts: ['ip -j link show lo | jq -r ".[0].ifname"'], stdout: 'lo\n' },
    {
      name: 'refuses to watch',
      scripts: ['watch ip a'],
      stderr: 'watch: not simulated: it would redraw the screen until it is interrupted\n',
      exitCode: 1,
    },
  ])('$name', async ({ scripts, stdout = '', stderr = '', exitCode = 0 }) => {
    let result = { stdout: '', stderr: '', exitCode: -1 };
    for (const script of scripts) result = await testbed.type(script);
    expect(result).toEqual({ stdout, stderr, exitCode });
  });

  it('follows virtual time', async () => {
    expect((await testbed.type('date; sleep 90; date -u +%H:%M:%S; sleep 0.5s | cat; date +%s.%3N')).stdout).toBe(
      'Mon Jan 12 08:00:00 UTC 2026\n08:01:30\n1768204890.500\n',
    );
    expect(await testbed.type('timeout 2 sleep 60; echo $?; date +%T')).toEqual({ stdout: '124\n08:01:32\n', stderr: '', exitCode: 0 });
    expect((await testbed.type('timeout 5 sleep 1 && date +%T')).stdout).toBe('08:01:33\n');
  });

  it('draws $RANDOM from the seed', async () => {
    const line = 'echo $RANDOM ${RANDOM} $((RANDOM % 10))';
    const first = (await testbed.type(line)).stdout;
    expect((await createTestbed().type(line)).stdout).toBe(first);
    expect((await createTestbed(2).type(line)).stdout).not.toBe(first);
    expect(first).toMatch(/^\d+ \d+ \d\n$/);
  });

  it('passes standard input', async () => {
    expect((await testbed.type('tr a-z A-Z', { stdin: 'straße\n' })).stdout).toBe('STRAßE\n');
    expect((await testbed.type('cat', { stdin: '¯\n' })).stdout).toBe('¯\n');
  });

  it('has an empty /dev/null, and no interpreters', async () => {
    expect(await testbed.type('cat < /dev/null; python3 -c 1')).toEqual({
      stdout: '',
      stderr: 'bash: python3: command not found\n',
      exitCode: 127,
    });
  });

  it('lets a program ask the person at the terminal, unless it reads from a pipe', async () => {
    testbed.host.commands.set('quiz', async (_args, { ask, stdin }) => ({
      stdout: `${(await ask?.('Sure? ')) ?? `nobody (${stdin})`}\n`,
      stderr: '',
      exitCode: 0,
    }));
    const prompts: string[] = [];
    const ask = async (prompt: string) => {
      prompts.push(prompt);
      return 'yes';
    };
    const answers: string[] = [];
    for (const script of ['quiz', 'x=$(quiz); echo "<$x>"', 'printf no | quiz'])
      answers.push((await testbed.session.run(script, { isTerminal: true, ask })).stdout);
    answers.push((await testbed.session.run('quiz')).stdout);
    expect({ answers, prompts }).toEqual({
      answers: ['yes\n', '<yes>\n', 'nobody (no)\n', 'nobody ()\n'],
      prompts: ['Sure? ', 'Sure? '],
    });
  });

  it('lets a bug in one of our commands through', async () => {
    testbed.host.commands.set('broken', () => {
      throw new TypeError('a bug');
    });
    await expect(testbed.type('broken')).rejects.toThrow(new TypeError('a bug'));
    await expect(testbed.type('x=$(broken | cat); echo $x')).rejects.toThrow(new TypeError('a bug'));
  });

  it('gives commands exported variables only', async () => {
    testbed.host.commands.set('show', (_args, { env, cwd }) => ({
      stdout: `${env.get('A') ?? '-'} ${env.get('B') ?? '-'} ${cwd}\n`,
      stderr: '',
      exitCode: 0,
    }));
    expect((await testbed.type('A=1; export B=2; cd /tmp; show | cat; C=3 A=4 show')).stdout).toBe('- 2 /tmp\n4 2 /tmp\n');
  });
});

describe('docker exec', () => {
  it.each([
    {
      name: 'a program that is not there',
      argv: ['nope'],
      stderr:
        'OCI runtime exec failed: exec failed: unable to start container process: exec: "nope": executable file not found in $PATH: unknown\n',
      exitCode: 127,
    },
    {
      name: 'a path that is not there',
      argv: ['/opt/nope'],
      stderr:
        'OCI runtime exec failed: exec failed: unable to start container process: exec: "/opt/nope": stat /opt/nope: no such file or directory: unknown\n',
      exitCode: 127,
    },
    {
      name: 'a folder',
      argv: ['/etc'],
      stderr:
        'OCI runtime exec failed: exec failed: unable to start container process: exec: "/etc": is a directory: permission denied: unknown\n',
      exitCode: 126,
    },
    {
      name: 'a program of another image',
      argv: ['curl', 'http://192.0.2.1'],
      stderr:
        'OCI runtime exec failed: exec failed: unable to start container process: exec: "curl": executable file not found in $PATH: unknown\n',
      exitCode: 127,
    },
    {
      name: 'a shell that the image lacks',
      argv: ['bash', '-c', 'true'],
      stderr:
        'OCI runtime exec failed: exec failed: unable to start container process: exec: "bash": executable file not found in $PATH: unknown\n',
      exitCode: 127,
    },
    { name: 'a tool of every image', argv: ['ls', '/etc'], stdout: 'hostname\nhosts\nresolv.conf\n', exitCode: 0 },
    { name: 'words with blanks', argv: ['echo', 'a  b', '$X'], stdout: 'a  b $X\n', exitCode: 0 },
    { name: 'sh -c with arguments', argv: ['sh', '-c', 'echo "$0 $1 $#"', 'zero', 'one'], stdout: 'zero one 1\n', exitCode: 0 },
    { name: 'sh -ec', argv: ['sh', '-ec', 'false; echo no'], exitCode: 1 },
    { name: 'sh with a script on standard input', argv: ['sh'], stdin: 'echo one\nexit 3\n', stdout: 'one\n', exitCode: 3 },
    { name: 'sh without anything to do', argv: ['sh'], exitCode: 0 },
    { name: 'a script that is not there', argv: ['sh', '/nope.sh'], stderr: 'sh: /nope.sh: No such file or directory\n', exitCode: 127 },
  ])('$name', async ({ argv, stdin, stdout = '', stderr = '', exitCode }) => {
    const testbed = createTestbed();
    testbed.engine.createContainer({ name: 'box', image: 'busybox', networkMode: 'none', hostname: 'box' }).start();
    expect(await testbed.exec('box', argv, stdin === undefined ? {} : { stdin })).toEqual({ stdout, stderr, exitCode });
  });

  it('finds no shell in an image without one', async () => {
    const testbed = createTestbed();
    testbed.engine.createContainer({ name: 'echo', image: 'hashicorp/http-echo' }).start();
    expect(await testbed.exec('echo', ['sh', '-c', 'ip a'])).toMatchObject({ exitCode: 127 });
    expect(await testbed.exec('echo', ['ls'])).toMatchObject({ exitCode: 127 });
  });
});
