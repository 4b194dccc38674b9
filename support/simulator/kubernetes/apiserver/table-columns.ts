import type { KubernetesObject } from '../types.ts';

export interface Column {
  readonly name: string;
  readonly type: string;
  readonly format: string;
  readonly description: string;
  readonly priority: number;
}

export interface Table {
  readonly columns: readonly Column[];
  cells(object: KubernetesObject, now: number): readonly unknown[];
}

/** `Name Ready:integer IP*`: a star marks a column of `-o wide`, `_` stands for a blank. */
export function columns(text: string): readonly Column[] {
  return text.split(' ').map((word, index) => {
    const isWide = word.endsWith('*');
    const [name = '', type = 'string'] = (isWide ? word.slice(0, -1) : word).split(':');
    return { name: name.replaceAll('_', ' '), type, format: index === 0 ? 'name' : '', description: '', priority: isWide ? 1 : 0 };
  });
}
