import { type DataTable, Then } from '@cucumber/cucumber';
import type { OutpostWorld } from '../support/cucumber/world.ts';
import { families, familyOf, hostPrefix } from '../support/tools/addresses.ts';
import { expectedPaths, type Origin, pathDifferences, sessionRows } from '../support/tools/bgp-tables.ts';
import type { ObjectName } from '../support/tools/kubectl.ts';
import { missingRows, observe } from '../support/verdict/compare.ts';

const lookAtPeers = 'cilium bgp peers';
const lookAtTable = (router: string) => `docker exec ${router} vtysh -c 'show bgp ipv6' -c 'show bgp ipv4'`;

function origins(table: DataTable): Origin[] {
  return table.hashes().map((row) => ({ node: row.node ?? '', nextHop: row['next hop'] ?? '', asPath: row['AS path'] ?? '' }));
}

Then('these BGP sessions are established within {duration}:', async function (this: OutpostWorld, budgetMs: number, table: DataTable) {
  const wanted = table.hashes().map((row) => ({ ...row, state: 'established' }));
  await this.within(budgetMs, { expected: `${wanted.length} BGP sessions established`, look: lookAtPeers }, async () => {
    const peers = await this.readers.cilium.bgpPeers();
    if (!peers.isEnabled) return { ok: false, saw: peers.reason };
    return observe(missingRows(wanted, sessionRows(peers.sessions), ['node']), undefined);
  });
});

Then(
  'router {string} has these neighbors established within {duration}:',
  async function (this: OutpostWorld, router: string, budgetMs: number, table: DataTable) {
    const wanted = families.flatMap((family) => table.hashes().map((row) => ({ ...row, family, state: 'Established' })));
    const expectation = { expected: 'the neighbors established', look: `docker exec ${router} vtysh -c 'show bgp summary'` };
    await this.within(budgetMs, expectation, async () => {
      const seen = (await this.readers.vtysh.bgpNeighbors(router)).map(({ address, remoteAs, family, state }) => ({
        neighbor: address,
        AS: remoteAs,
        family,
        state,
      }));
      return observe(missingRows(wanted, seen, ['neighbor', 'family']), undefined);
    });
  },
);

Then(
  'every BGP session has these prefix counts within {duration}:',
  async function (this: OutpostWorld, budgetMs: number, table: DataTable) {
    const counts = table.hashes();
    await this.within(budgetMs, { expected: 'the listed prefix counts in every BGP session', look: lookAtPeers }, async () => {
      const peers = await this.readers.cilium.bgpPeers();
      if (!peers.isEnabled) return { ok: false, saw: peers.reason };
      if (peers.sessions.length === 0) return { ok: false, saw: 'no BGP session' };
      const differences = peers.sessions.flatMap(({ node, families: seen }) =>
        missingRows(
          counts,
          seen.map((item) => ({ ...item })),
          ['family'],
        ).map((difference) => `${node} ${difference}`),
      );
      return observe(differences, undefined);
    });
  },
);

Then(
  'router {string} has learned the IPv4 and IPv6 pod CIDR of every node within {duration}:',
  async function (this: OutpostWorld, router: string, budgetMs: number, table: DataTable) {
    await this.within(budgetMs, { expected: 'a route to the pod CIDRs of every node', look: lookAtTable(router) }, async () => {
      const nodes = await this.readers.kubectl.ciliumNodes();
      const wanted = expectedPaths(origins(table), (node) => nodes.find(({ name }) => name === node)?.podCidrs ?? []);
      return observe([...wanted.missing, ...pathDifferences(wanted.paths, await this.readers.vtysh.bgpTables(router))], undefined);
    });
  },
);

Then(
  'router {string} has learned both external addresses of service {object} from every node within {duration}:',
  async function (this: OutpostWorld, router: string, service: ObjectName, budgetMs: number, table: DataTable) {
    await this.within(budgetMs, { expected: 'a route to the service from every node', look: lookAtTable(router) }, async () => {
      const prefixes = ((await this.readers.kubectl.service(service))?.externalAddresses ?? []).map(hostPrefix);
      const wanted = expectedPaths(origins(table), () => prefixes);
      return observe([...wanted.missing, ...pathDifferences(wanted.paths, await this.readers.vtysh.bgpTables(router))], undefined);
    });
  },
);

Then(
  'router {string} has no route to the external addresses of service {object} for {duration}',
  async function (this: OutpostWorld, router: string, service: ObjectName, durationMs: number) {
    await this.throughout(durationMs, { expected: 'no route to the service', look: lookAtTable(router) }, async () => {
      const addresses = (await this.readers.kubectl.service(service))?.externalAddresses ?? [];
      if (new Set(addresses.map(familyOf)).size < families.length) return { ok: false, saw: 'the service lacks an external address' };
      const learned = (await this.readers.vtysh.bgpTables(router)).filter(({ prefix }) => addresses.map(hostPrefix).includes(prefix));
      return observe(
        learned.map(({ prefix, nextHop }) => `${prefix} via ${nextHop}`),
        undefined,
      );
    });
  },
);

/** Every path of the listed prefixes, and no other path of them: how many there are is what multipath labs ask. */
Then(
  'router {string} has exactly these paths within {duration}:',
  async function (this: OutpostWorld, router: string, budgetMs: number, table: DataTable) {
    const wanted = table.hashes();
    await this.within(budgetMs, { expected: 'the listed paths, and no others of their prefixes', look: lookAtTable(router) }, async () => {
      const rows = (await this.readers.vtysh.bgpTables(router))
        .filter(({ prefix, isValid }) => isValid && wanted.some((row) => row.prefix === prefix))
        .map(({ prefix, nextHop, asPath }) => ({ prefix, 'next hop': nextHop, 'AS path': asPath }));
      const extra = rows.filter((row) => !wanted.some((other) => other.prefix === row.prefix && other['next hop'] === row['next hop']));
      const differences = missingRows(wanted, rows, ['prefix', 'next hop']);
      return observe([...differences, ...extra.map((row) => `${row.prefix} also via ${row['next hop']}`)], undefined);
    });
  },
);

/** For next hops that nobody can name beforehand, as link-local ones. */
Then(
  /^router "([^"]*)" has (\d+) paths? to "([^"]*)" with AS path "([^"]*)" within (\d+) seconds$/,
  async function (this: OutpostWorld, router: string, count: string, prefix: string, asPath: string, seconds: string) {
    const expectation = { expected: `${count} paths to ${prefix} with AS path ${asPath}`, look: lookAtTable(router) };
    await this.within(Number(seconds) * 1000, expectation, async () => {
      const paths = (await this.readers.vtysh.bgpTables(router)).filter((path) => path.isValid && path.prefix === prefix);
      const matching = paths.filter((path) => path.asPath === asPath).length;
      const saw = `${matching} of ${paths.length}: ${paths.map((path) => `${path.nextHop} (${path.asPath})`).join(', ') || 'no path'}`;
      return matching === Number(count) ? { ok: true, value: matching } : { ok: false, saw };
    });
  },
);

Then('the nodes use these gateways within {duration}:', async function (this: OutpostWorld, budgetMs: number, table: DataTable) {
  const wanted = table.hashes();
  await this.within(
    budgetMs,
    { expected: 'packets to leave each node by its gateway', look: 'docker exec NODE ip route get DESTINATION' },
    async () => {
      const seen = [];
      for (const { node = '', destination = '' } of wanted) {
        const route = await this.readers.ip.routeTo(node, destination);
        seen.push({ node, destination, gateway: 'unroutable' in route ? route.unroutable : (route.gateway ?? `none (${route.device})`) });
      }
      return observe(missingRows(wanted, seen, ['node', 'destination']), undefined);
    },
  );
});
