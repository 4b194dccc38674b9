// Writes the verdict of `outpost run --json` (standard input) as the summary of a CI job: Markdown on standard output.
let text = '';
for await (const chunk of process.stdin) text += chunk;

const cell = (value) => String(value).replaceAll('|', '\\|').replaceAll('\n', ' ');

let verdict;
try {
  verdict = JSON.parse(text);
} catch {
  console.log('### The lab was not judged\n\nThere is no verdict; the log of the step before says why.');
  process.exit(0);
}
const { passed, failed, skipped } = verdict.counts;
console.log(`### ${failed === 0 ? '✅' : '❌'} ${cell(verdict.lab)} on the ${cell(verdict.note)}`);
console.log(
  `\n${passed} passed, ${failed} failed, ${skipped} skipped; ${verdict.earned} of ${verdict.points} points in ${Math.round(verdict.wallMs / 1000)} s\n`,
);
console.log('| challenge | points | scenarios that failed |\n|---|---|---|');
for (const { name, title, earned, points, scenarios } of verdict.challenges) {
  const bad = scenarios.filter(({ status }) => status === 'failed').map((scenario) => scenario.name);
  console.log(`| ${cell(title ?? name)} | ${earned} of ${points} | ${cell(bad.join('; ')) || 'none'} |`);
}
for (const { failure, name } of verdict.challenges.flatMap(({ scenarios }) => scenarios)) {
  if (failure === undefined) continue;
  console.log(`\n**${cell(name)}**, line ${failure.line}: ${cell(failure.step)}\n\n\`\`\`\n${failure.message}\n\`\`\``);
}
