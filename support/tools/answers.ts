import type { Answer } from './curl.ts';

/** An answer's first line, or why there was none. */
export function describeAnswer(answer: Answer): string {
  if (!answer.answered) return answer.reason;
  const lines = answer.body.trim().split('\n');
  return lines.length > 1 ? `"${lines[0]} …"` : `"${lines[0]}"`;
}

/** Why an answer is not the expected one, in words; nothing when its body holds `text`. */
export function refusalOf(answer: Answer, text: string, from: string): string[] {
  return answer.answered && answer.body.includes(text) ? [] : [`${from}: ${describeAnswer(answer)}`];
}

/** Whether an answer names an address, as a whole: `192.0.2.1` is not in `192.0.2.10`. */
export function saysAddress(answer: Answer, address: string): boolean {
  return answer.answered && answer.body.split(/[^0-9a-fA-F.:]+/).some((word) => word.replace(/[.:]+$/, '') === address);
}
