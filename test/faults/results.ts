import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Figure, Row, RowResult } from './row.ts';

const projectFolder = join(import.meta.dirname, '../..');
/** One JSON line for each row that was run here; git ignores it. */
const resultsFile = join(projectFolder, '.faults-results.jsonl');
const documentFile = join(projectFolder, 'docs/reliability.md');
const beginMarker = '<!-- scoreboard: written by `npm run faults -- --write-docs` -->';
const endMarker = '<!-- end of scoreboard -->';

export async function keepResult(result: RowResult): Promise<void> {
  await appendFile(resultsFile, `${JSON.stringify(result)}\n`);
}

/** The last result of each row, where there is one a full run rather than a fast one. */
export async function lastResults(): Promise<ReadonlyMap<string, RowResult>> {
  const results = new Map<string, RowResult>();
  const text = await readFile(resultsFile, 'utf8').catch(() => '');
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const result = JSON.parse(line) as RowResult;
    if (result.fast && results.get(result.row)?.fast === false) continue;
    results.set(result.row, result);
  }
  return results;
}

function formatFigure({ name, value, unit, judged }: Figure): string {
  if (judged === false) return `${name}: not judged in a shortened run`;
  return `${name} ${value.toLocaleString('en-US', { maximumFractionDigits: 3 })}${unit === '' ? '' : ` ${unit}`}`;
}

function cells(row: Row, result: RowResult | undefined): string[] {
  if (result === undefined) return [row.id, row.title, 'not measured', '', row.floor, row.goal, ''];
  const peers = Object.entries(result.peer ?? {}).map(
    ([name, figures]) =>
      `${name}: ${Object.entries(figures)
        .map(([figure, value]) => `${figure} ${value}`)
        .join(', ')}`,
  );
  const shortened = result.shortened ?? row.shortened;
  const met = result.met.goal ? 'goal' : result.met.floor ? 'floor' : 'MISSED';
  return [
    row.id,
    row.title,
    result.figures.map(formatFigure).join('; '),
    peers.join('; '),
    row.floor,
    row.goal,
    result.fast ? `${met} (shortened run${shortened === undefined ? '' : `: ${shortened}`})` : met,
  ];
}

/** The scoreboard as a Markdown table. */
export function formatTable(rows: readonly Row[], results: ReadonlyMap<string, RowResult>): string {
  const heading = ['row', 'fault', 'Caravan', 'peers in the same run', 'floor', 'goal', 'met'];
  const lines = [heading, heading.map(() => '---'), ...rows.map((row) => cells(row, results.get(row.id)))];
  return lines.map((line) => `| ${line.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`).join('\n');
}

/** Where and when the results of a table come from. */
export function formatOrigins(results: ReadonlyMap<string, RowResult>): string {
  const all = [...results.values()];
  const unique = (values: readonly string[]): string => [...new Set(values)].toSorted().join(', ');
  if (all.length === 0) return 'Nothing has been measured here yet.';
  return [
    `Measured ${unique(all.map(({ at }) => at.slice(0, 10)))} on ${unique(all.map(({ machine }) => machine))}, at ${unique(all.map(({ commit }) => commit))}.`,
    'Command: `npm run faults`; one row: `npm run faults -- --rows R1`.',
  ].join('\n');
}

/** Writes the table between the two marks of docs/reliability.md. Throws when they are not there. */
export async function writeDocument(rows: readonly Row[], results: ReadonlyMap<string, RowResult>): Promise<void> {
  const text = await readFile(documentFile, 'utf8');
  const begin = text.indexOf(beginMarker);
  const end = text.indexOf(endMarker);
  if (begin === -1 || end < begin) throw new Error(`${documentFile} needs the lines ${beginMarker} and ${endMarker}`);
  const table = `${beginMarker}\n\n${formatOrigins(results)}\n\n${formatTable(rows, results)}\n\n`;
  await writeFile(documentFile, text.slice(0, begin) + table + text.slice(end));
}
