import { printableLine } from './printable.ts';

/** One row per line, columns padded to their widest cell and two blanks apart; no blanks at line ends. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, ...rows.map((row) => row.map(printableLine))];
  const widths = header.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  return lines
    .map(
      (line) =>
        `${header
          .map((_, column) => (line[column] ?? '').padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

/** `Name:  value` lines, values below one another. */
export function formatFields(fields: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(...fields.map(([name]) => name.length)) + 1;
  return fields.map(([name, value]) => `${`${name}:`.padEnd(width)} ${printableLine(value)}`.trimEnd()).join('\n') + '\n';
}

/** What stands at a node, and what hangs below it. */
export interface TreeNode {
  readonly text: string;
  readonly children?: readonly TreeNode[];
}

/** Draws nodes below each other with lines that join them to their parent. */
export function formatTree(nodes: readonly TreeNode[], indent = ''): string {
  return nodes
    .map(({ text, children = [] }, index) => {
      const last = index === nodes.length - 1;
      return `${indent}${last ? '╰─' : '├─'} ${printableLine(text)}\n${formatTree(children, `${indent}${last ? '   ' : '│  '}`)}`;
    })
    .join('');
}
