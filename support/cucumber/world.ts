import { setWorldConstructor, World } from '@cucumber/cucumber';
import type { Lab } from '../port/lab.ts';
import { openReaders, type Readers } from '../tools/readers.ts';
import { type Expectation, mustHold } from '../verdict/check.ts';
import { consistently, Deadline, eventually, type Probe } from '../waiting/waiting.ts';
import { Evidence, recordingLab } from './evidence.ts';
import { currentSession } from './session.ts';

interface Bench {
  readonly lab: Lab;
  readonly readers: Readers;
  readonly evidence: Evidence;
}

let startOfLab: number | undefined;

/** What a scenario has at hand: the lab, readers of it, and what was seen last. */
export class OutpostWorld extends World {
  /** What an earlier step of the scenario found, for a later one that says "the same". */
  observation: string | undefined;
  #bench: Bench | undefined;

  get lab(): Lab {
    return this.#open().lab;
  }

  get readers(): Readers {
    return this.#open().readers;
  }

  get evidence(): Evidence {
    return this.#open().evidence;
  }

  /** Opened by the first step that looks: a dry run makes worlds without a lab. */
  #open(): Bench {
    if (this.#bench !== undefined) return this.#bench;
    const session = currentSession();
    startOfLab ??= session.lab.clock.now();
    const evidence = new Evidence(startOfLab);
    const lab = recordingLab(session.lab, evidence);
    this.#bench = { lab, evidence, readers: openReaders(lab) };
    return this.#bench;
  }

  /** Waits until the probe holds, at most `budgetMs` of the lab's time. @throws CheckFailure */
  async within<T>(budgetMs: number, expectation: Expectation, probe: Probe<T>): Promise<T> {
    return mustHold(await eventually(new Deadline(this.lab.clock, budgetMs), probe), expectation);
  }

  /** Watches that the probe holds for `durationMs` of the lab's time. @throws CheckFailure */
  async throughout<T>(durationMs: number, expectation: Expectation, probe: Probe<T>): Promise<T> {
    return mustHold(await consistently(new Deadline(this.lab.clock, durationMs), probe), expectation);
  }
}

setWorldConstructor(OutpostWorld);
