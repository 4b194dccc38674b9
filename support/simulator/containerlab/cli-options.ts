/** An option of a containerlab command: its long name, its letter, whether it takes a value. */
interface OptionSpec {
  readonly long: string;
  readonly short?: string;
  readonly takesValue: boolean;
}

const flag = (long: string, short?: string): OptionSpec => ({ long, takesValue: false, ...(short === undefined ? {} : { short }) });
const value = (long: string, short?: string): OptionSpec => ({ long, takesValue: true, ...(short === undefined ? {} : { short }) });

const globals: readonly OptionSpec[] = [
  flag('debug', 'd'),
  flag('help', 'h'),
  value('log-level'),
  value('name'),
  value('runtime', 'r'),
  value('timeout'),
  value('topo', 't'),
  value('vars'),
];

const deployment: readonly OptionSpec[] = [
  value('export-template'),
  value('format', 'f'),
  flag('graph', 'g'),
  value('ipv4-subnet', '4'),
  value('ipv6-subnet', '6'),
  value('max-workers'),
  value('network'),
  value('node-filter'),
  value('owner'),
  flag('skip-labdir-acl'),
  flag('skip-post-deploy'),
];
const removal: readonly OptionSpec[] = [
  flag('all', 'a'),
  flag('cleanup', 'c'),
  flag('graceful'),
  flag('keep-mgmt-net'),
  value('max-workers'),
  value('node-filter'),
];

/** containerlab 0.68, `containerlab COMMAND --help`. */
const specs: Readonly<Record<string, readonly OptionSpec[]>> = {
  deploy: [...deployment, flag('reconfigure', 'c')],
  destroy: removal,
  redeploy: [...removal, ...deployment],
  inspect: [flag('all', 'a'), flag('details'), value('format', 'f'), flag('wide', 'w'), value('node', 'n')],
  graph: [
    flag('dot'),
    flag('drawio'),
    value('drawio-args'),
    value('drawio-version'),
    flag('mermaid'),
    value('mermaid-direction'),
    value('node-filter'),
    flag('offline', 'o'),
    value('srv', 's'),
    value('static-dir'),
    value('template'),
  ],
  exec: [value('cmd'), value('format', 'f'), value('label')],
  save: [value('node-filter')],
  version: [],
};

export interface CliOptions {
  readonly words: readonly string[];
  has(long: string): boolean;
  last(long: string): string | undefined;
  all(long: string): readonly string[];
}

/** Reads what follows `containerlab`. @returns the text of cobra's complaint for what it does not know */
export function readOptions(args: readonly string[], command: string): CliOptions | string {
  const known = [...globals, ...(specs[command] ?? [])];
  const found = new Map<string, string[]>();
  const words: string[] = [];
  const rest = [...args];
  const put = (spec: OptionSpec, text: string) => found.set(spec.long, [...(found.get(spec.long) ?? []), text]);
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg.startsWith('--')) {
      const [name = '', attached] = arg.slice(2).split(/=(.*)/s);
      const spec = known.find(({ long }) => long === name);
      if (spec === undefined) return `unknown flag: --${name}`;
      const text = spec.takesValue ? (attached ?? rest.shift()) : (attached ?? 'true');
      if (text === undefined) return `flag needs an argument: --${name}`;
      put(spec, text);
    } else if (/^-./.test(arg)) {
      for (let letters = arg.slice(1); letters !== ''; ) {
        const letter = letters[0] ?? '';
        const spec = known.find(({ short }) => short === letter);
        if (spec === undefined) return `unknown shorthand flag: '${letter}' in -${letters}`;
        letters = letters.slice(1);
        if (!spec.takesValue) put(spec, 'true');
        else {
          const text = letters === '' ? rest.shift() : letters.replace(/^=/, '');
          if (text === undefined) return `flag needs an argument: '${letter}' in -${letter}`;
          put(spec, text);
          letters = '';
        }
      }
    } else words.push(arg);
  }
  return {
    words,
    has: (long) => found.has(long) && found.get(long)?.at(-1) !== 'false',
    last: (long) => found.get(long)?.at(-1),
    all: (long) => found.get(long) ?? [],
  };
}
