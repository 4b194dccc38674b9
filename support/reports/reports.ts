import { existsSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Envelope } from '@cucumber/messages';
import { EnvironmentError } from '../verdict/errors.ts';
import type { ScenarioRecord } from '../verdict/scenario.ts';
import { EvidenceLog } from './evidence-log.ts';
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

const reasons: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  EEXIST: 'a file is in the way',
  ENOTDIR: 'a file is in the way',
  EISDIR: 'a folder is in the way of one of the files',
  ENOSPC: 'no space is left',
  ENOENT: 'it cannot be made there',
};

/** Folder by folder: Node's own recursive mkdir does not return from file systems that cannot make any (/proc). */
function makeFolder(directory: string): void {
  if (existsSync(directory) && statSync(directory).isDirectory()) return;
  const parent = dirname(directory);
  if (parent !== directory) makeFolder(parent);
  mkdirSync(directory);
}

/** The reports of one run, written while it runs: each is whole after every scenario. */
export class Reports {
  readonly paths: ReportPaths;
  readonly #messages: ReportFile;
  readonly #html: HtmlReport;
  readonly #junit: JunitReport;
  readonly #evidence: EvidenceLog;
  #waiting: Envelope[] = [];

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
      const { code } = cause as NodeJS.ErrnoException;
      if (code === undefined) throw cause;
      throw new EnvironmentError(
        'reports/folder',
        `the reports cannot be written to ${directory}: ${reasons[code] ?? code}`,
        { fix: 'name a folder that can be written with --reports DIR' },
        { cause },
      );
    }
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

  close(): void {
    this.#flush();
    this.#messages.close();
    this.#html.close();
    this.#junit.close();
    this.#evidence.close();
  }

  #flush(): void {
    if (this.#waiting.length === 0) return;
    const envelopes = this.#waiting;
    this.#waiting = [];
    this.#messages.append(envelopes.map((envelope) => `${JSON.stringify(envelope)}\n`).join(''));
    this.#html.add(envelopes);
  }
}
