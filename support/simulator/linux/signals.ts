/** The signals of Linux on x86 by number, from 1 (signal(7)), without the real-time ones. */
export const signals: readonly string[] =
  'HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS'.split(
    ' ',
  );

export function signalNumber(name: string): number {
  return signals.indexOf(name) + 1;
}

/** `9`, `KILL`, `SIGKILL`, `kill`; undefined when there is none of that name. */
export function signalNumberOf(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text) >= 1 && Number(text) <= signals.length ? Number(text) : undefined;
  const number = signalNumber(text.toUpperCase().replace(/^SIG/, ''));
  return number === 0 ? undefined : number;
}

/** The last number of a real-time signal; the first is {@link signals}' length + 3 (32 and 33 are the C library's). */
const lastRealTime = 64;

/** `kill -l` of bash: five to a line. */
export function signalTable(): string {
  const names = signals.map((name, index) => ({ number: index + 1, name: `SIG${name}` }));
  for (let number = 34; number <= lastRealTime; number++) {
    const fromStart = number - 34;
    const fromEnd = lastRealTime - number;
    const name = fromStart <= 15 ? `SIGRTMIN${fromStart === 0 ? '' : `+${fromStart}`}` : `SIGRTMAX${fromEnd === 0 ? '' : `-${fromEnd}`}`;
    names.push({ number, name });
  }
  let text = '';
  names.forEach(({ number, name }, index) => {
    const isLast = (index + 1) % 5 === 0 || index === names.length - 1;
    text += `${String(number).padStart(2)}) ${name}${isLast && index !== names.length - 1 ? '\n' : '\t'}`;
  });
  return `${text}\n`;
}
