import { Then } from '@cucumber/cucumber';
import { assert } from 'chai';
import type { OutpostWorld } from '../support/cucumber/world.ts';
import { type Family, familyOf, urlHost } from '../support/tools/addresses.ts';
import { describeAnswer, refusalOf, saysAddress } from '../support/tools/answers.ts';
import { curlArgv } from '../support/tools/curl.ts';
import type { ObjectName, Pod } from '../support/tools/kubectl.ts';
import { formatCommand } from '../support/tools/run.ts';
import { observe } from '../support/verdict/compare.ts';

type Client = string | undefined;

const lookAt = (client: Client, url: string) => formatCommand({ container: client, argv: curlArgv(url) });

/** The URL of a service's external address; undefined while it has none of the family. */
async function serviceUrl(world: OutpostWorld, name: ObjectName, family: Family, path: string): Promise<string | undefined> {
  const service = await world.readers.kubectl.service(name);
  const address = service?.externalAddresses.find((candidate) => familyOf(candidate) === family);
  const port = service?.ports[0] ?? 80;
  return address === undefined ? undefined : `http://${urlHost(address)}${port === 80 ? '' : `:${port}`}${path}`;
}

Then(
  'every pod of deployment {object} answers {client} under its own name over {family} on port {int} at {string} within {duration}',
  async function (
    this: OutpostWorld,
    deployment: ObjectName,
    client: Client,
    family: Family,
    port: number,
    path: string,
    budgetMs: number,
  ) {
    const urlOf = (address: string) => `http://${urlHost(address)}${port === 80 ? '' : `:${port}`}${path}`;
    const expectation = { expected: 'an answer from every pod', look: lookAt(client, urlOf('POD')) };
    await this.within(budgetMs, expectation, async () => {
      const pods = await this.readers.kubectl.podsOf(deployment);
      const differences = pods.length === 0 ? [`${deployment.name} has no pod`] : [];
      for (const pod of pods) {
        const address = pod.addresses.find((candidate) => familyOf(candidate) === family);
        if (address === undefined) differences.push(`${pod.name} has no ${family} address`);
        else differences.push(...refusalOf(await this.readers.curl.get(urlOf(address), client), pod.name, `${pod.name} (${address})`));
      }
      return observe(differences, undefined);
    });
  },
);

Then(
  'service {object} answers {client} with {string} over {family} at {string} {int} times in a row within {duration}',
  async function (
    this: OutpostWorld,
    name: ObjectName,
    client: Client,
    text: string,
    family: Family,
    path: string,
    times: number,
    budgetMs: number,
  ) {
    const expectation = { expected: `${times} answers in a row`, look: lookAt(client, `http://${name.name}${path}`) };
    await this.within(budgetMs, expectation, async () => {
      const url = await serviceUrl(this, name, family, path);
      if (url === undefined) return { ok: false, saw: `the service has no external ${family} address` };
      for (let request = 1; request <= times; request++) {
        const differences = refusalOf(await this.readers.curl.get(url, client), text, `${url}, request ${request}`);
        if (differences.length > 0) return observe(differences, undefined);
      }
      return { ok: true, value: undefined };
    });
  },
);

Then(
  'service {object} does not answer {client} over {family} at {string} within {duration}',
  async function (this: OutpostWorld, name: ObjectName, client: Client, family: Family, path: string, budgetMs: number) {
    const url = await serviceUrl(this, name, family, path);
    assert(url !== undefined, `expected an external ${family} address of service ${name.name} that does not answer, saw no such address`);
    const answer = await this.readers.curl.get(url, client, budgetMs);
    await this.within(0, { expected: 'no answer', look: lookAt(client, url) }, async () =>
      observe(answer.answered ? [describeAnswer(answer)] : [], undefined),
    );
  },
);

/** What `url` answers each pod of a deployment, against the text and the source address that are expected of it. */
async function answersToPods(world: OutpostWorld, url: string, deployment: ObjectName, text: string, source: string | undefined) {
  const pods = await world.readers.kubectl.podsOf(deployment);
  const differences = pods.length === 0 ? [`${deployment.name} has no pod`] : [];
  for (const pod of pods) {
    const answer = await world.readers.curl.getFromPod(pod, url);
    const refusal = refusalOf(answer, text, pod.name);
    const address = source ?? ownAddress(pod, url);
    if (refusal.length === 0 && !saysAddress(answer, address)) differences.push(`${pod.name}: ${describeAnswer(answer)} (not ${address})`);
    differences.push(...refusal);
  }
  return observe(differences, undefined);
}

/** The pod's address of the family that the URL's host has. */
function ownAddress(pod: Pod, url: string): string {
  const family = new URL(url).hostname.startsWith('[') ? 'IPv6' : 'IPv4';
  return pod.addresses.find((address) => familyOf(address) === family) ?? `no ${family} address`;
}

Then(
  '{string} answers every pod of deployment {object} with {string} to {source} within {duration}',
  async function (this: OutpostWorld, url: string, deployment: ObjectName, text: string, source: string | undefined, budgetMs: number) {
    const look = `kubectl -n ${deployment.namespace} exec deployments/${deployment.name} -- curl ${url}`;
    await this.within(budgetMs, { expected: `"${text}" for ${deployment.name}`, look }, () =>
      answersToPods(this, url, deployment, text, source),
    );
  },
);

Then(
  '{string} keeps answering every pod of deployment {object} with {string} to {source} for {duration}',
  async function (this: OutpostWorld, url: string, deployment: ObjectName, text: string, source: string | undefined, durationMs: number) {
    const look = `kubectl -n ${deployment.namespace} exec deployments/${deployment.name} -- curl ${url}`;
    await this.throughout(durationMs, { expected: `"${text}" for ${deployment.name}`, look }, () =>
      answersToPods(this, url, deployment, text, source),
    );
  },
);
