import { type Filter, parseFilter } from './syntax.ts';

/** Functions that the jq manual explains by others: written in jq. */
const source = `
def select(f): if f then . else empty end;
def map(f): [.[] | f];
def map_values(f): .[] |= f;
def recurse(f): def r: ., (f | r); r;
def recurse(f; c): def r: ., (f | select(c) | r); r;
def recurse: recurse(.[]?);
def values: select(. != null);
def nulls: select(. == null);
def booleans: select(type == "boolean");
def numbers: select(type == "number");
def strings: select(type == "string");
def arrays: select(type == "array");
def objects: select(type == "object");
def iterables: select(type == "array" or type == "object");
def scalars: select(type != "array" and type != "object");
def add: reduce .[] as $x (null; . + $x);
def add(f): reduce f as $x (null; . + $x);
def any(g; c): isempty(first(g | c | select(.))) | not;
def all(g; c): isempty(first(g | c | select(. | not)));
def any(c): any(.[]; c);
def all(c): all(.[]; c);
def any: any(.);
def all: all(.);
def isempty(g): label $out | (g | false, break $out), true;
def error(m): m | error;
def to_entries: . as $in | [keys_unsorted[] as $k | {key: $k, value: $in[$k]}];
def from_entries: reduce .[] as $e ({}; . + {($e | if type == "object" then (if has("key") then .key elif has("k") then .k elif has("name") then .name elif has("Name") then .Name elif has("Key") then .Key elif has("K") then .K else null end) else . end | if type == "string" then . elif type == "null" then "null" else tojson end): ($e | if has("value") then .value elif has("v") then .v elif has("Value") then .Value else .V end)});
def with_entries(f): to_entries | map(f) | from_entries;
def paths: path(..) | select(length > 0);
def paths(f): . as $in | paths | select(. as $p | $in | getpath($p) | f);
def leaf_paths: paths(scalars);
def pick(f): . as $in | reduce path(f) as $p (null; setpath($p; $in | getpath($p)));
def del(f): delpaths([path(f)]);
def sort_by(f): _by([.[] | [f]]; "sort");
def group_by(f): _by([.[] | [f]]; "group");
def unique_by(f): _by([.[] | [f]]; "unique");
def min_by(f): _by([.[] | [f]]; "min");
def max_by(f): _by([.[] | [f]]; "max");
def unique: unique_by(.);
def min: min_by(.);
def max: max_by(.);
def range($n): range(0; $n; 1);
def range($a; $b): range($a; $b; 1);
def range($a; $b; $s): _range($a; $b; $s)[];
def first: .[0];
def last: .[-1];
def last(f): reduce f as $x (null; $x);
def nth($n): .[$n];
def nth($n; f): first(foreach f as $x (-1; . + 1; if . == $n then $x else empty end));
def skip($n; f): foreach f as $x ($n; . - 1; if . < 0 then $x else empty end);
def until(c; u): def go: if c then . else (u | go) end; go;
def while(c; u): def go: if c then ., (u | go) else empty end; go;
def repeat(f): def go: ., (f | go); go;
def in(x): . as $k | x | has($k);
def inside(x): . as $k | x | contains($k);
def index($x): indices($x) | .[0];
def rindex($x): indices($x) | .[-1];
def IN(s): any(s == .; .);
def IN(a; s): any(a == s; .);
def INDEX(s; f): reduce s as $r ({}; .[$r | f | tostring] |= $r);
def INDEX(f): INDEX(.[]; f);
def flatten: flatten(1e9);
def combinations: if length == 0 then [] else .[0][] as $x | (.[1:] | combinations) as $w | [$x] + $w end;
def combinations(n): . as $d | [range(n)] | map($d) | combinations;
def transpose: (map(length) | max // 0) as $n | [range(0; $n) as $i | [.[][$i]]];
def walk(f): def w: if type == "object" then map_values(w) elif type == "array" then map(w) else . end | f; w;
def todate: strftime("%Y-%m-%dT%H:%M:%SZ");
def todateiso8601: todate;
def fromdateiso8601: strptime("%Y-%m-%dT%H:%M:%SZ") | mktime;
def fromdate: fromdateiso8601;
def date: todate;
def dateadd(u; n): . + n;
def match(re): match(re; null);
def match(re; flags): _match(re; flags)[];
def test(re): test(re; null);
def test(re; flags): (_match(re; flags) | length) > 0;
def capture(re): capture(re; null);
def capture(re; flags): match(re; flags) | [.captures[] | select(.name != null) | {key: .name, value: .string}] | from_entries;
def scan(re): scan(re; null);
def scan(re; flags): match(re; "g" + flags) | if (.captures | length) > 0 then [.captures[].string] else .string end;
def split(re; flags): [splits(re; flags)];
def splits(re): splits(re; null);
def splits(re; flags): . as $s | [foreach (match(re; "g" + flags), null) as $m ({at: 0}; if $m == null then .out = $s[.at:] else .out = $s[.at:$m.offset] | .at = $m.offset + $m.length end; .out)] | .[];
def sub(re; s): sub(re; s; "");
def sub(re; s; flags): . as $in | def go($ms; $at): if ($ms | length) == 0 then $in[$at:] else $ms[0] as $m | ($m.captures | map(select(.name != null) | {key: .name, value: .string}) | from_entries | s) as $r | $in[$at:$m.offset] + $r + go($ms[1:]; $m.offset + $m.length) end; go(_match(re; flags); 0);
def gsub(re; s): sub(re; s; "g");
def gsub(re; s; flags): sub(re; s; flags + "g");
def tostream: path(def r: (.[]? | r), .; r) as $p | getpath($p) | reduce path(.[]?) as $q ([$p, .]; [$p + $q]);
def fromstream(f): {x: null, e: false} as $init | foreach f as $i ($init; if .e then $init else . end | if ($i | length) == 2 then setpath(["e"]; ($i[0] | length) == 0) | setpath(["x"] + $i[0]; $i[1]) else setpath(["e"]; ($i[0] | length) == 1) end; if .e then .x else empty end);
def abs: if type == "number" and . < 0 then -. else . end;
def toarray: if type == "array" then . else [.] end;
def have_literal_numbers: true;
def debug(m): (m | debug | empty), .;
`;

interface Definition {
  readonly body: Filter;
  readonly parameters: readonly string[];
}

/** By name and number of parameters, as in `map/1`; a definition is parsed when it is first used. */
class Prelude {
  readonly #lines = new Map<string, string>();
  readonly #parsed = new Map<string, Definition>();

  constructor() {
    for (const line of source.trim().split('\n')) {
      const [, name, parameters] = /^def (\w+)(?:\(([^)]*)\))?:/.exec(line) as RegExpExecArray;
      this.#lines.set(`${name}/${parameters === undefined ? 0 : parameters.split(';').length}`, line);
    }
  }

  has(signature: string): boolean {
    return this.#lines.has(signature);
  }

  get(signature: string): Definition | undefined {
    const line = this.#lines.get(signature);
    if (line === undefined) return undefined;
    let definition = this.#parsed.get(signature);
    if (definition === undefined) {
      const tree = parseFilter(line) as Extract<Filter, { kind: 'define' }>;
      // a definition that calls itself finds itself here again
      definition = { body: tree.body, parameters: tree.parameters };
      this.#parsed.set(signature, definition);
    }
    return definition;
  }
}

export const prelude = new Prelude();
