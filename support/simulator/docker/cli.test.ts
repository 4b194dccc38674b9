import { beforeEach, describe, expect, it } from 'vitest';
import { createTestbed, type Testbed } from '../linux/testbed.ts';

describe('the docker command', () => {
  let testbed: Testbed;
  let webId: string;
  beforeEach(async () => {
    testbed = createTestbed();
    const { engine } = testbed;
    engine.createNetwork({ name: 'lab', subnets: ['198.51.100.0/24', '2001:db8:1::/64'], labels: { owner: 'tests' } });
    const web = engine.createContainer({ name: 'web', hostname: 'web', image: 'nginx:1.27', networkMode: 'lab', labels: { app: 'web' } });
    webId = web.id;
    web.start();
    testbed.clock.advance(61_000);
    const box = engine.createContainer({ name: 'box', hostname: 'box', image: 'alpine', command: ['sleep', 'infinity'] });
    box.start();
    testbed.clock.advance(5000);
  });

  /** Ids are random: tables show them as 12 x. */
  const masked = (text: string): string => text.replace(/\b[0-9a-f]{64}\b/g, '<id>').replace(/\b[0-9a-f]{12}\b/g, 'xxxxxxxxxxxx');

  it.each([
    {
      line: 'docker ps',
      stdout: `CONTAINER ID   IMAGE        COMMAND                  CREATED              STATUS              PORTS     NAMES
xxxxxxxxxxxx   alpine       "sleep infinity"         5 seconds ago        Up 5 seconds                  box
xxxxxxxxxxxx   nginx:1.27   "/docker-entrypoint.…"   About a minute ago   Up About a minute             web
`,
    },
    {
      line: 'docker ps --format \'{{.Names}}: {{.Status}} {{.Networks}} {{.Label "app"}}\'',
      stdout: 'box: Up 5 seconds bridge \nweb: Up About a minute lab web\n',
    },
    { line: "docker ps -f label=app=web --format 'table {{.Names}}\\t{{.Image}}'", stdout: 'NAMES     IMAGE\nweb       nginx:1.27\n' },
    { line: 'docker ps -q -f name=box -f name=nope', stdout: 'xxxxxxxxxxxx\n' },
    { line: 'docker ps -aq -f status=exited', stdout: '' },
    {
      line: 'docker network ls',
      stdout:
        'NETWORK ID     NAME      DRIVER    SCOPE\nxxxxxxxxxxxx   bridge    bridge    local\nxxxxxxxxxxxx   host      host      local\nxxxxxxxxxxxx   lab       bridge    local\nxxxxxxxxxxxx   none      null      local\n',
    },
    {
      line: "docker inspect -f '{{.State.Status}} {{.NetworkSettings.Networks.lab.IPAddress}} {{.NetworkSettings.Networks.lab.GlobalIPv6Address}}' web",
      stdout: 'running 198.51.100.2 2001:db8:1::2\n',
    },
    {
      line: "docker inspect -f '{{range .NetworkSettings.Networks}}{{.Gateway}} {{.MacAddress}}{{end}}' box",
      stdout: '172.17.0.1 02:42:ac:11:00:02\n',
    },
    {
      line: "docker inspect -f '{{.State.Nope}}' web",
      stdout: '\n',
      stderr: 'template parsing error: template: :1:2: executing "" at <.State.Nope>: map has no entry for key "Nope"\n',
      exitCode: 1,
    },
    { line: 'docker inspect nope', stdout: '[]\n', stderr: 'Error: No such object: nope\n', exitCode: 1 },
    {
      line: "docker network inspect lab -f '{{range .Containers}}{{.Name}} {{.IPv4Address}} {{.IPv6Address}}{{end}}'",
      stdout: 'web 198.51.100.2/24 2001:db8:1::2/64\n',
    },
    { line: 'docker network inspect nope', stdout: '[]\n', stderr: 'Error response from daemon: network nope not found\n', exitCode: 1 },
    { line: 'docker exec web hostname', stdout: 'web\n' },
    { line: 'docker exec -it web hostname', stdout: 'web\n' },
    { line: "docker exec -ti -w /tmp -e A=1 --env B=2 web sh -c 'pwd; echo $A$B; exit 3'", stdout: '/tmp\n12\n', exitCode: 3 },
    { line: 'echo hi | docker exec -i web cat', stdout: 'hi\n' },
    { line: 'echo hi | docker exec web cat', stdout: '' },
    { line: 'docker exec -d web sleep 1', stdout: '' },
    { line: 'docker exec nope ls', stderr: 'Error response from daemon: No such container: nope\n', exitCode: 1 },
    {
      line: 'docker exec web nope',
      stdout:
        'OCI runtime exec failed: exec failed: unable to start container process: exec: "nope": executable file not found in $PATH: unknown\n',
      exitCode: 127,
    },
    {
      line: 'docker exec --nope web ls',
      stderr:
        "unknown flag: --nope\n\nUsage:  docker exec [OPTIONS] CONTAINER COMMAND [ARG...]\n\nRun 'docker exec --help' for more information\n",
      exitCode: 125,
    },
    {
      line: 'docker exec web',
      stderr:
        "docker: 'docker exec' requires at least 2 arguments\n\nUsage:  docker exec [OPTIONS] CONTAINER COMMAND [ARG...]\n\nSee 'docker exec --help' for more information\n",
      exitCode: 1,
    },
    { line: 'docker nope', stderr: "docker: unknown command: docker nope\n\nRun 'docker --help' for more information\n", exitCode: 1 },
    { line: 'docker build .', stderr: 'docker: not simulated: docker build\n', exitCode: 1 },
    {
      line: 'docker rm web',
      stderr:
        'Error response from daemon: cannot remove container "/web": container is running: stop the container before removing or force remove\n',
      exitCode: 1,
    },
    { line: 'docker rm -f web box && docker ps -aq', stdout: 'web\nbox\n' },
    { line: 'docker stop web nope', stdout: 'web\n', stderr: 'Error response from daemon: No such container: nope\n', exitCode: 1 },
    {
      line: 'docker stop web >/dev/null && docker exec web ls',
      stderr: 'Error response from daemon: container <id> is not running\n',
      exitCode: 1,
    },
    { line: "docker stop web >/dev/null; sleep 5; docker ps -a -f name=web --format '{{.Status}}'", stdout: 'Exited (0) 5 seconds ago\n' },
    { line: "docker kill box; docker ps -a -f name=box --format '{{.Status}}'", stdout: 'box\nExited (137) Less than a second ago\n' },
    {
      line: "docker pause web; docker ps -f name=web --format '{{.Status}}'; docker unpause web",
      stdout: 'web\nUp About a minute (Paused)\nweb\n',
    },
    { line: 'docker unpause web', stderr: 'Error response from daemon: container <id> is not paused\n', exitCode: 1 },
    {
      line: 'docker start nope',
      stderr: 'Error response from daemon: No such container: nope\nError: failed to start containers: nope\n',
      exitCode: 1,
    },
    {
      line: 'docker network rm lab',
      stderr:
        'Error response from daemon: error while removing network: network lab has active endpoints (name:"web" id:"xxxxxxxxxxxx")\nexit status 1\n',
      exitCode: 1,
    },
    { line: 'docker network create lab', stderr: 'Error response from daemon: network with name lab already exists\n', exitCode: 1 },
    {
      line: 'docker network create --subnet 203.0.113.0/24 two && docker network connect --ip 203.0.113.9 two box && docker exec box ip -4 -br addr show eth1 | cut -c 33-',
      stdout: '<id>\n203.0.113.9/24 \n',
    },
    { line: 'docker run --rm --network lab curlimages/curl -s -o /dev/null -w "%{http_code}" http://web/', stdout: '200' },
    { line: 'docker run --rm alpine sh -c "exit 4"', exitCode: 4 },
    {
      line: 'docker run nginx',
      stderr: 'docker: not simulated: a container in the foreground that does not end by itself; use -d\n',
      exitCode: 125,
    },
    {
      line: 'docker run -d --name web nginx',
      stderr:
        'docker: Error response from daemon: Conflict. The container name "/web" is already in use by container "<id>". You have to remove (or rename) that container to be able to reuse that name.\n\nRun \'docker run --help\' for more information\n',
      exitCode: 125,
    },
    {
      line: 'docker run -d -p 127.0.0.1:8080:80 --name pub nginx && docker port pub && docker port pub 81',
      stdout: '<id>\n80/tcp -> 127.0.0.1:8080\n',
      stderr: "Error: No public port '81/tcp' published for pub\n",
      exitCode: 1,
    },
    {
      line: 'echo text > /tmp/a; docker cp /tmp/a box:/root/; docker cp box:/root/a /tmp/b; cat /tmp/b',
      stdout: 'text\n',
      stderr: 'Successfully copied 2.05kB to box:/root/\nSuccessfully copied 2.05kB to /tmp/b\n',
    },
    {
      line: 'docker cp box:/nope /tmp/',
      stderr: 'Error response from daemon: Could not find the file /nope in container box\n',
      exitCode: 1,
    },
    { line: "docker version --format '{{.Server.Version}}'", stdout: '28.2.2\n' },
    { line: 'docker container ls -q | wc -l', stdout: '2\n' },
  ])('$line', async ({ line, stdout = '', stderr = '', exitCode = 0 }) => {
    const result = await testbed.type(line);
    expect({ ...result, stdout: masked(result.stdout), stderr: masked(result.stderr) }).toEqual({ stdout, stderr, exitCode });
  });

  it('wants a terminal for -it', async () => {
    expect(await testbed.type('docker exec -it web hostname', { isTerminal: false })).toEqual({
      stdout: '',
      stderr: 'the input device is not a TTY\n',
      exitCode: 1,
    });
  });

  it('finds a container by the beginning of its id', async () => {
    expect((await testbed.type(`docker exec ${webId.slice(0, 6)} hostname`)).stdout).toBe('web\n');
  });

  it('waits ten seconds for an idle container to stop', async () => {
    const before = testbed.clock.now();
    await testbed.type('docker stop box');
    expect(testbed.clock.now() - before).toBe(10_000);
    expect(testbed.engine.findContainer('box')?.exitCode).toBe(137);
  });

  it('shows a log by streams and lines', async () => {
    const web = testbed.engine.findContainer('web');
    web?.writeLog('one\ntwo\n');
    web?.writeLog('oops', 'stderr');
    expect(await testbed.type('docker logs --tail 2 web')).toEqual({ stdout: 'two\n', stderr: 'oops\n', exitCode: 0 });
    expect(await testbed.type('docker logs -t web 2>/dev/null')).toEqual({
      stdout: '2026-01-12T08:01:06Z one\n2026-01-12T08:01:06Z two\n',
      stderr: '',
      exitCode: 0,
    });
  });
});
