import { type Dict, listAt, textAt } from './values.ts';

/** What ends a kubectl command with a message. Without a prefix of its own the message gets `error: `. */
export class KubectlError extends Error {
  readonly exitCode: number;
  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** A message that is printed as it stands. */
export class PlainError extends KubectlError {}

/** Ends the command without any message. */
export class ExitError extends KubectlError {
  constructor(exitCode: number) {
    super('', exitCode);
  }
}

/** Wrong use of the command line: the message is followed by where to find help. */
export class UsageError extends KubectlError {
  readonly command: string;
  constructor(message: string, command: string) {
    super(message);
    this.command = command;
  }
}

/** An answer of the API server that is no success: the Status object. */
export class StatusError extends KubectlError {
  readonly status: Dict;
  constructor(status: Dict) {
    super(textAt(status, 'message'));
    this.status = status;
  }
  get reason(): string {
    return textAt(this.status, 'reason');
  }
  get code(): number {
    return typeof this.status.code === 'number' ? this.status.code : 0;
  }
  withMessage(message: string): StatusError {
    return new StatusError({ ...this.status, message });
  }
}

/** Several errors of one command (apimachinery's Aggregate): each on its own line, plain ones without `error: `. */
export class AggregateKubectlError extends KubectlError {
  readonly errors: readonly KubectlError[];
  constructor(errors: readonly KubectlError[]) {
    super(errors.length === 1 ? (errors[0] as KubectlError).message : `[${errors.map((error) => error.message).join(', ')}]`);
    this.errors = errors;
  }
}

export function isNotFound(error: unknown): error is StatusError {
  return error instanceof StatusError && (error.reason === 'NotFound' || (error.reason === '' && error.code === 404));
}

/** One error is reported as itself, several together (ContinueOnError in cli-runtime's visitors). */
export function throwAll(errors: readonly KubectlError[]): void {
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) throw new AggregateKubectlError(errors);
}

/** Adds the file that an object came from: `error when creating "web.yaml": …`. */
export function addSource(verb: string, source: string, error: KubectlError): KubectlError {
  if (source === '') return error;
  const message = `error when ${verb} ${JSON.stringify(source)}: ${error.message}`;
  return error instanceof StatusError ? error.withMessage(message) : new KubectlError(message);
}

/** The text of kubectl's StandardErrorMessage, for errors that are members of a list. */
function standardMessage(error: KubectlError): string {
  if (error instanceof StatusError) {
    const { reason } = error;
    if (reason === 'Unauthorized') return `error: You must be logged in to the server (${error.message})`;
    return reason === '' ? `Error from server: ${error.message}` : `Error from server (${reason}): ${error.message}`;
  }
  return error.message;
}

function flatten(error: AggregateKubectlError): KubectlError[] {
  return error.errors.flatMap((member) => (member instanceof AggregateKubectlError ? flatten(member) : [member]));
}

/** What kubectl's CheckErr writes on standard error. */
export function renderError(error: KubectlError): string {
  if (error instanceof ExitError) return '';
  if (error instanceof AggregateKubectlError)
    return flatten(error)
      .map((member) => withNewline(standardMessage(member)))
      .join('');
  if (error instanceof PlainError) return withNewline(error.message);
  if (error instanceof UsageError) return `error: ${error.message}\nSee '${error.command} -h' for help and examples\n`;
  if (error instanceof StatusError) return withNewline(error.reason === 'Invalid' ? invalidMessage(error) : standardMessage(error));
  return withNewline(error.message.startsWith('error: ') ? error.message : `error: ${error.message}`);
}

function invalidMessage(error: StatusError): string {
  const { details } = error.status;
  if (typeof details !== 'object' || details === null)
    return error.message === '' ? 'The request is invalid' : `The request is invalid: ${error.message}`;
  const kind = textAt(details, 'kind');
  const name = textAt(details, 'name');
  const causes = listAt(details, 'causes');
  let message = 'The request is invalid';
  if (kind !== '' || name !== '') message = `The ${kind} ${JSON.stringify(name)} is invalid`;
  else if (error.message !== '' && causes.length === 0) message += `: ${error.message}`;
  if (causes.length === 0) return message;
  const texts = [
    ...new Set(
      causes.map((cause) =>
        textAt(cause, 'field') === '' ? textAt(cause, 'message') : `${textAt(cause, 'field')}: ${textAt(cause, 'message')}`,
      ),
    ),
  ];
  if (texts.length === 1) return `${message}: ${texts[0]}`;
  return `${message}: \n${texts.map((text) => `* ${text}\n`).join('')}`;
}

function withNewline(text: string): string {
  return text.endsWith('\n') || text === '' ? text : `${text}\n`;
}
