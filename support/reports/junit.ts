import type { ScenarioRecord } from '../verdict/scenario.ts';
import { ReportFile } from './report-file.ts';

/** Room for the counts, which are written again after each scenario. */
const beginningLength = 300;

/**
 * JUnit XML, a test case a scenario. A check that did not hold is a `failure`; what kept a scenario from being judged is
 * an `error`, so that a CI server tells the two apart.
 */
export class JunitReport {
  readonly #file: ReportFile;
  readonly #name: string;
  readonly #counts = { tests: 0, failures: 0, errors: 0, skipped: 0 };
  #seconds = 0;

  constructor(path: string, name: string) {
    this.#name = name;
    this.#file = new ReportFile(path, this.#beginning(), '</testsuite>\n</testsuites>\n');
  }

  add(scenario: ScenarioRecord): void {
    this.#counts.tests++;
    this.#seconds += scenario.durationMs / 1000;
    if (scenario.status === 'skipped') this.#counts.skipped++;
    const fault = scenario.failed?.failure.fault;
    if (fault === 'learner') this.#counts.failures++;
    else if (fault !== undefined) this.#counts.errors++;
    this.#file.append(formatCase(scenario));
    this.#file.rewriteBeginning(this.#beginning());
  }

  close(notModelled: readonly string[] = []): void {
    if (notModelled.length > 0) this.#file.append(`<system-out>${escapeXml(['Not simulated:', ...notModelled].join('\n'))}</system-out>\n`);
    this.#file.close();
  }

  #beginning(): string {
    const { tests, failures, errors, skipped } = this.#counts;
    const counts = `tests="${tests}" failures="${failures}" errors="${errors}" skipped="${skipped}" time="${this.#seconds.toFixed(3)}"`;
    const text = `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n<testsuite name="${escapeXml(this.#name.slice(0, 60))}" ${counts}`;
    return `${text.padEnd(beginningLength - 2)}>\n`;
  }
}

function formatCase(scenario: ScenarioRecord): string {
  const attributes = `classname="${escapeXml(scenario.feature)}" name="${escapeXml(scenario.name)}" file="${escapeXml(scenario.uri)}" time="${(scenario.durationMs / 1000).toFixed(3)}"`;
  const steps = scenario.steps.map(({ keyword, text, status }) => `${keyword}${text} … ${status}`).join('\n');
  const output = `<system-out>${escapeXml(steps)}</system-out>`;
  if (scenario.status === 'skipped') return `<testcase ${attributes}><skipped/>${output}</testcase>\n`;
  if (scenario.failed === undefined) return `<testcase ${attributes}>${output}</testcase>\n`;
  const { failure, keyword, text } = scenario.failed;
  const tag = failure.fault === 'learner' ? 'failure' : 'error';
  const [first = ''] = failure.message.split('\n');
  const body = `${keyword}${text}\n${failure.message}`;
  return `<testcase ${attributes}><${tag} type="${failure.fault}" message="${escapeXml(first)}">${escapeXml(body)}</${tag}>${output}</testcase>\n`;
}

function escapeXml(text: string): string {
  return text
    .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\n', '&#10;');
}
