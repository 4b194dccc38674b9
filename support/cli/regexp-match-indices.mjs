// Stands in for the package of the same name in the bundle. The package finds the positions of groups by parsing and
// rewriting every pattern; Node's own regular expressions have told them since version 16 when asked with the flag `d`.
export default function execWithIndices(pattern, text) {
  const withIndices = pattern.hasIndices ? pattern : new RegExp(pattern.source, `${pattern.flags}d`);
  withIndices.lastIndex = pattern.lastIndex;
  const match = withIndices.exec(text);
  pattern.lastIndex = withIndices.lastIndex;
  return match;
}
