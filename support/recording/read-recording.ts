import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ContentError, UsageError } from '../verdict/errors.ts';
import {
  type ComparedCommand,
  commandsFile,
  headerFile,
  type Printed,
  type RecordedCommand,
  type Recording,
  type RecordingHeader,
  recordingFormat,
  recordingVersion,
} from './recording.ts';

/**
 * Reads a recording (a folder that `--record` wrote) or a transcript (a JSON list of commands and outputs).
 * @throws UsageError when the path holds neither; ContentError for a recording that is damaged
 */
export function readRecording(path: string): Recording {
  if (!existsSync(path)) throw notOne(path, 'there is no such file or folder');
  if (!statSync(path).isDirectory()) return readTranscript(path);
  const header = readHeader(path);
  const text = existsSync(join(path, commandsFile)) ? readFileSync(join(path, commandsFile), 'utf8') : '';
  const lines = text.split('\n');
  const commands: ComparedCommand[] = [];
  lines.forEach((line, index) => {
    if (line === '') return;
    const command = parse(line);
    if (isCommand(command)) commands.push({ ...command, stdout: textOf(command.stdout), stderr: textOf(command.stderr) });
    // The end of a run that was killed may be half a line.
    else if (index < lines.length - 1)
      throw new ContentError('recording/line', `${join(path, commandsFile)}:${index + 1}: this line is no command of a recording`, {
        fix: 'record it again',
      });
  });
  return { path, header, commands };
}

/** The header of a recording in a folder; undefined when the folder holds none. */
export function findHeader(folder: string): RecordingHeader | undefined {
  const file = join(folder, headerFile);
  if (!existsSync(file) || !statSync(file).isFile()) return undefined;
  const header = parse(readFileSync(file, 'utf8')) as RecordingHeader | undefined;
  return typeof header === 'object' && header?.format === recordingFormat ? header : undefined;
}

function readHeader(folder: string): RecordingHeader {
  const header = findHeader(folder);
  if (header === undefined) throw notOne(folder, `it has no ${headerFile}`);
  if (header.version > recordingVersion)
    throw new UsageError(
      'usage/recording',
      `${folder} is a recording of version ${header.version}; this outpost reads ${recordingVersion}`,
      {
        fix: 'compare it with the outpost that wrote it',
      },
    );
  return header;
}

/** `[{ challenge?, command, output, exit }, …]`: what was typed at a terminal; an output of null was not kept. */
function readTranscript(file: string): Recording {
  const parsed = parse(readFileSync(file, 'utf8'));
  if (!Array.isArray(parsed) || !parsed.every(isTyped)) throw notOne(file, 'it is no JSON list of commands with their outputs');
  return { path: file, header: undefined, commands: parsed.map(typedCommand) };
}

interface Typed {
  readonly challenge?: string;
  readonly command: string;
  readonly output: string | null;
  readonly exit: number | null;
}

function isTyped(value: unknown): value is Typed {
  if (typeof value !== 'object' || value === null) return false;
  const { command, output } = value as Partial<Typed>;
  return typeof command === 'string' && (output === null || typeof output === 'string');
}

/** A line of a transcript: a terminal shows both outputs as one. */
export function typedCommand({ challenge, command, output, exit }: Typed): ComparedCommand {
  return {
    challenge: challenge ?? null,
    feature: null,
    scenario: null,
    scenarioNumber: null,
    step: null,
    line: null,
    container: null,
    argv: ['sh', '-c', command],
    stdin: null,
    exitCode: exit ?? null,
    error: null,
    stdout: output ?? undefined,
    stderr: undefined,
  };
}

function isCommand(value: unknown): value is RecordedCommand {
  return typeof value === 'object' && value !== null && Array.isArray((value as { argv?: unknown }).argv);
}

/** Bytes that are no text are compared by what they are. */
function textOf(printed: Printed): string {
  return typeof printed === 'string' ? printed : `base64:${printed.base64.replaceAll(/.{76}/g, '$&\n')}\n`;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function notOne(path: string, why: string): UsageError {
  return new UsageError('usage/recording', `${path} is no recording: ${why}`, {
    fix: 'name a folder that outpost run --record DIR wrote, or a transcript',
  });
}
