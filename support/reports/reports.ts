import { mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Envelope } from '@cucumber/messages';
import { EnvironmentError } from '../verdict/errors.ts';
import type { ScenarioRecord } from '../verdict/scenario.ts';
import { EvidenceLog } from './evidence-log.ts';
import { makeFolder, whyNotWritten } from './folder.ts';
import { HtmlReport } from './html.ts';
import { JunitReport } from './junit.ts';
import { ReportFile } from './report-file.ts';

/** Where the reports of a run are. */
export interface ReportPaths {
  readonly html: string;
  readonly junit: string;
  readonly messages: string;
  readonly evidence: string;
  readonly allureResults: string;
  readonly allureSite: string;
}

export function reportPaths(directory: string): ReportPaths {
  return {
    html: join(directory, 'cucumber.html'),
    junit: join(directory, 'junit.xml'),
    messages: join(directory, 'messages.ndjson'),
    evidence: join(directory, 'evidence.txt'),
    allureResults: join(directory, 'allure-results'),
    allureSite: join(directory, 'allure-report'),
  };
}

/** The reports of one run, written while it runs: each is whole after every scenario. */
export class Reports {
  readonly paths: ReportPaths;
  readonly #messages: ReportFile;
  readonly #html: HtmlReport;
  readonly #junit: JunitReport;
  readonly #evidence: EvidenceLog;
  #waiting: Envelope[] = [];
  #isBroken = false;

  /** @param title names the lab, the driver and the seed */
  constructor(directory: string, title: string) {
    this.paths = reportPaths(directory);
    try {
      makeFolder(directory);
      // Allure adds to what it finds; results of an earlier run would be counted as of this one.
      rmSync(this.paths.allureResults, { recursive: true, force: true });
      rmSync(this.paths.allureSite, { recursive: true, force: true });
      mkdirSync(this.paths.allureResults);
      this.#messages = new ReportFile(this.paths.messages);
      this.#html = new HtmlReport(this.paths.html, title);
      this.#junit = new JunitReport(this.paths.junit, title);
      this.#evidence = new EvidenceLog(this.paths.evidence, title);
    } catch (cause) {
      throw this.explain(cause) ?? cause;
    }
  }

  /** An error of the file system as what it is to a person; undefined for any other. */
  explain(cause: unknown): EnvironmentError | undefined {
    const why = whyNotWritten(cause);
    if (why === undefined) return undefined;
    this.#isBroken = true;
    return new EnvironmentError(
      'reports/folder',
      `the reports cannot be written to ${dirname(this.paths.html)}: ${why}`,
      { fix: 'name a folder that can be written with --reports DIR' },
      { cause },
    );
  }

  onEnvelope(envelope: Envelope): void {
    this.#waiting.push(envelope);
    // Steps are what a run is slow at; all messages since the last one go out together.
    if (envelope.testStepFinished !== undefined || envelope.testCaseFinished !== undefined) this.#flush();
  }

  onScenario(scenario: ScenarioRecord): void {
    this.#junit.add(scenario);
    this.#evidence.add(scenario);
  }

  /** @param notModelled what the lab left out, a sentence each */
  close(notModelled: readonly string[] = []): void {
    // What could not be written before cannot be now.
    if (this.#isBroken) return;
    this.#flush();
    this.#messages.close();
    this.#html.close(notModelled);
    this.#junit.close(notModelled);
    this.#evidence.close(notModelled);
  }

  #flush(): void {
    if (this.#waiting.length === 0) return;
    const envelopes = this.#waiting;
    this.#waiting = [];
    this.#messages.append(envelopes.map((envelope) => `${JSON.stringify(envelope)}\n`).join(''));
    this.#html.add(envelopes);
  }
}
