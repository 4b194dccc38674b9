type Colour = 'green' | 'red' | 'yellow' | 'grey' | 'bold';

const codes: Readonly<Record<Colour, readonly [number, number]>> = {
  green: [32, 39],
  red: [31, 39],
  yellow: [33, 39],
  grey: [90, 39],
  bold: [1, 22],
};

/** Where a command prints. */
export interface Terminal {
  /** The result: stdout. */
  print(text: string): void;
  /** Progress and remarks: stdout, or stderr when stdout is for a machine. */
  tell(text: string): void;
  paint(colour: Colour, text: string): string;
}

/** @param isForMachine keeps stdout for what `print` is given, and everything else on stderr */
export function openTerminal(isForMachine = false): Terminal {
  const stream = isForMachine ? process.stderr : process.stdout;
  const hasColour = stream.isTTY === true && !process.env.NO_COLOR;
  return {
    print: (text) => void process.stdout.write(`${text}\n`),
    tell: (text) => void stream.write(`${text}\n`),
    paint: (colour, text) => (hasColour ? `\u001b[${codes[colour][0]}m${text}\u001b[${codes[colour][1]}m` : text),
  };
}
