import type { ScenarioRecord } from '../verdict/scenario.ts';
import { ReportFile } from './report-file.ts';

/**
 * What the steps ran and saw, as one text in the order of the run. It holds the lab's times only: on the simulator, two
 * runs with the same seed write the same bytes.
 */
export class EvidenceLog {
  readonly #file: ReportFile;

  constructor(path: string, title: string) {
    this.#file = new ReportFile(path, `${title}\n`);
  }

  add(scenario: ScenarioRecord): void {
    const lines = [`\n## ${scenario.feature}: ${scenario.name} (${scenario.uri}:${scenario.line}) ${scenario.status}\n`];
    for (const step of scenario.steps) {
      lines.push(`\n### ${step.keyword}${step.text} … ${step.status}\n`);
      for (const text of step.evidence) lines.push(`\n${text.replace(/\n?$/, '\n')}`);
      if (step.failure !== undefined) lines.push(`\n${step.failure.message}\n`);
    }
    this.#file.append(lines.join(''));
  }

  close(notModelled: readonly string[] = []): void {
    if (notModelled.length > 0) this.#file.append(`\n## Not simulated\n\n${notModelled.map((text) => `- ${text}\n`).join('')}`);
    this.#file.close();
  }
}
