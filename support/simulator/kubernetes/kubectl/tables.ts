import { ageOf } from './age.ts';
import { cellText } from './table.ts';
import { at, type Dict, isDict, listAt, nameOf, numberAt, sortedKeys, stringsAt, textAt } from './values.ts';

/** What `get` adds to the columns that the server sends. */
export interface TableOptions {
  readonly isWide: boolean;
  readonly withNamespace: boolean;
  /** `deployment.apps/` in front of the names. */
  readonly prefix: string;
  readonly labelColumns: readonly string[];
  readonly withLabels: boolean;
  readonly now: number;
}

function shownColumns(table: Dict, isWide: boolean): { readonly definition: unknown; readonly index: number }[] {
  return listAt(table, 'columnDefinitions')
    .map((definition, index) => ({ definition, index }))
    .filter(({ definition }) => isWide || numberAt(definition, 'priority') === 0);
}

export function columnsOf(table: Dict, options: TableOptions): string[] {
  return [
    ...(options.withNamespace ? ['NAMESPACE'] : []),
    ...shownColumns(table, options.isWide).map(({ definition }) => textAt(definition, 'name').toUpperCase()),
    ...options.labelColumns.map((label) => label.slice(label.lastIndexOf('/') + 1).toUpperCase()),
    ...(options.withLabels ? ['LABELS'] : []),
  ];
}

export function rowsOf(table: Dict, row: unknown, options: TableOptions): string[] {
  const cells = listAt(row, 'cells');
  const metadata = at(row, 'object', 'metadata');
  const labels = stringsAt(metadata, 'labels');
  const shown = shownColumns(table, options.isWide)
    .filter(({ index }) => index < cells.length)
    .map(({ index }, position) => (position === 0 ? options.prefix : '') + cellText(cells[index]));
  return [
    ...(options.withNamespace ? [textAt(metadata, 'namespace')] : []),
    ...shown,
    ...options.labelColumns.map((label) => labels[label] ?? ''),
    ...(options.withLabels ? [isDict(metadata) ? labelsText(labels) : ''] : []),
  ];
}

/** `k=v,k=v` in order, or `<none>`. */
export function labelsText(labels: Readonly<Record<string, string>>): string {
  const keys = sortedKeys(labels);
  return keys.length === 0 ? '<none>' : keys.map((key) => `${key}=${labels[key]}`).join(',');
}

/** The two columns of objects that came without a Table. */
export function wideColumns(items: readonly Dict[], now: number): Dict {
  return {
    kind: 'Table',
    columnDefinitions: [
      { name: 'Name', type: 'string', priority: 0 },
      { name: 'Age', type: 'string', priority: 0 },
    ],
    rows: items.map((item) => ({ cells: [nameOf(item), ageOf(at(item, 'metadata', 'creationTimestamp'), now)], object: item })),
  };
}
