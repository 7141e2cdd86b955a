import type { Check, CheckReport, CheckResult } from '../site/health-report.ts';
import type { RootCause } from '../site/health.ts';
import { printableLine } from './printable.ts';

const marks: Readonly<Record<CheckResult, string>> = { ok: '√', info: 'ℹ', warning: '‼', error: '×', follows: '↳', skipped: '-' };

/** Warnings as status shows them below what it tells: causes only, with the number of their consequences. What is only good to know is left to `van check`. */
export function formatWarnings(warnings: readonly RootCause[]): string {
  const told = warnings
    .filter(({ warning }) => warning.severity !== 'info')
    .map(({ warning, follows }) => {
      const { severity, text, code, evidence, remedy } = warning;
      const more =
        follows.length === 0 ? '' : ` [${follows.length} more ${follows.length === 1 ? 'problem follows' : 'problems follow'} from it]`;
      const seen = evidence === '' ? '' : `\n  seen: ${printableLine(evidence)}`;
      return `${severity}: ${printableLine(text)} (${code})${more}${seen}\n  try: ${printableLine(remedy)}\n`;
    })
    .join('');
  return told === '' ? '' : `\n${told}`;
}

/** The groups of checks; with `short`, or when the site does not run, only those that are not as they should be. */
export function formatReport(report: CheckReport, short: boolean): string {
  const isStopped = report.categories.some(({ checks }) =>
    checks.some(({ code, result }) => code === 'site-not-running' && result === 'error'),
  );
  const groups = report.categories.map(({ name, checks }) => {
    const shown = short || isStopped ? checks.filter(({ result }) => !['ok', 'skipped'].includes(result)) : checks;
    return shown.length === 0 ? '' : `${name}\n${'-'.repeat(name.length)}\n${shown.map(formatCheck).join('')}\n`;
  });
  return `${groups.join('')}${conclusion(report)}\n`;
}

function formatCheck({ code, description, result, docs, problems, facts }: Check): string {
  const lines = [`${marks[result]} ${description}`, ...facts.map((fact) => `    * ${printableLine(fact)}`)];
  for (const { text, evidence, remedy, causedBy } of problems) {
    lines.push(`    ${printableLine(text)}`);
    if (evidence !== '') lines.push(`      seen: ${printableLine(evidence)}`);
    if (causedBy === null) lines.push(`      try:  ${printableLine(remedy)}`);
    else lines.push(`      follows from: ${causedBy}`);
  }
  if (['error', 'warning', 'info'].includes(result)) lines.push(`    see ${docs} (${code})`);
  return `${lines.join('\n')}\n`;
}

function conclusion({ success, categories }: CheckReport): string {
  const results = categories.flatMap(({ checks }) => checks.map(({ result }) => result));
  const count = (wanted: CheckResult): number => results.filter((result) => result === wanted).length;
  const told = (
    [
      [count('error'), 'failed'],
      [count('warning'), 'with a warning'],
      [count('follows'), 'followed from others'],
      [count('skipped'), 'not to be checked'],
    ] as const
  )
    .filter(([number]) => number > 0)
    .map(([number, what]) => `, ${number} ${what}`);
  return `Status check results are ${success ? marks.ok : marks.error} (${count('ok') + count('info')} passed${told.join('')})`;
}
