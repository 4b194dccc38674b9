import { type ContentPath, ContentProblem } from '../../port/content-problem.ts';
import { DeployError } from './deploy-error.ts';
import { knownKinds } from './node.ts';

// How containerlab itself words what is wrong with a topology file (0.68, yaml.v2).

const consult = 'Consult with release notes to see if any fields were changed/removed';

/** What follows `Error: ` when containerlab refuses a topology. @param text the file, for line numbers */
export function refusalText(error: unknown, text: string): string {
  if (error instanceof DeployError) return error.message;
  if (!(error instanceof ContentProblem)) {
    const mark = (error as { mark?: { line?: number }; reason?: string }).mark;
    if (mark === undefined) return (error as Error).message;
    return `failed to read topology file: yaml: line ${(mark.line ?? 0) + 1}: ${(error as { reason?: string }).reason}\n${consult}`;
  }
  const { path, message } = error;
  const [, field] = /^unknown field "(.*)"$/.exec(message) ?? [];
  if (field !== undefined)
    return `failed to read topology file: yaml: unmarshal errors:\n  line ${lineOf(text, path)}: field ${field} not found in type ${typeAt(path)}\n${consult}`;
  const [, node, kind] = /^node "(.*)": unknown kind "(.*)"$/.exec(message) ?? [];
  if (kind !== undefined)
    return `error constructing node "${node}": kind "${kind}" is not supported. Supported kinds are "${knownKinds.join(', ')}"`;
  const [, kindless] = /^node "(.*)" has no kind$/.exec(message) ?? [];
  if (kindless !== undefined)
    return `error constructing node "${kindless}": kind "" is not supported. Supported kinds are "${knownKinds.join(', ')}"`;
  const [, missing] = /^the link names node "(.*)", which/.exec(message) ?? [];
  if (missing !== undefined) return `unable to find node ${missing}`;
  const [, count] = /^a link has two endpoints, not (\d+)$/.exec(message) ?? [];
  if (count !== undefined)
    return `failed to read topology file: endpoint definition should consist of exactly 2 entries. ${count} provided\n${consult}`;
  const [, endpoint] = /^"(.*)" is no endpoint$/.exec(message) ?? [];
  if (endpoint !== undefined)
    return `failed to read topology file: invalid link endpoint format. expected <node>:<port>, got ${endpoint}\n${consult}`;
  if (message.includes('as LinkType')) return `failed to read topology file: ${message}\n${consult}`;
  return message;
}

function typeAt(path: ContentPath): string {
  const [first, second] = path;
  if (path.length === 1) return 'clab.Config';
  if (first === 'mgmt') return 'types.MgmtNet';
  if (second === 'links') return 'links.LinkDefinition';
  if (path.length === 2) return 'types.Topology';
  if (path.includes('healthcheck')) return 'types.HealthcheckConfig';
  if (path.includes('stages')) return 'types.Stages';
  return 'types.NodeDefinitionWithDeprecatedFields';
}

/** The line of the last key of a path: keys are looked for one after another, each below the one before. */
function lineOf(text: string, path: ContentPath): number {
  const lines = text.split('\n');
  let at = 0;
  for (const key of path) {
    if (typeof key === 'number') continue;
    const pattern = new RegExp(`(?:^|[\\s{,"'-])${key.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}["']?\\s*:`);
    const found = lines.findIndex((line, index) => index >= at && pattern.test(line.replace(/(^|\s)#.*/, '')));
    if (found >= 0) at = found;
  }
  return at + 1;
}
