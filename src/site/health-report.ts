import { healthCategories, healthCodeNames, healthCodes, type HealthCategory, type HealthCode } from './health-codes.ts';
import type { CheckFacts } from './check-facts.ts';
import { rootCauses, type HealthWarning } from './health.ts';

/** What `van check` finds, as programs get it. */
export interface CheckReport {
  /** False when a check has failed. Warnings alone do not make it false. */
  readonly success: boolean;
  readonly namespace: string;
  /** Name of the site; null when there is none. */
  readonly site: string | null;
  readonly categories: readonly CheckCategory[];
}

export interface CheckCategory {
  readonly name: HealthCategory;
  readonly checks: readonly Check[];
}

/** `follows`: what is wrong has a cause in another check. `skipped`: there is nothing to check, or it could not be. */
export type CheckResult = 'ok' | 'info' | 'warning' | 'error' | 'follows' | 'skipped';

export interface Check {
  readonly code: HealthCode;
  /** What should be so. */
  readonly description: string;
  readonly result: CheckResult;
  /** Where the page about checks tells more. */
  readonly docs: string;
  readonly problems: readonly CheckProblem[];
  /** What was seen where all is well, a line each. */
  readonly facts: readonly string[];
}

export interface CheckProblem {
  readonly text: string;
  readonly evidence: string;
  readonly remedy: string;
  /** Code of the cause that this follows from; null for a cause. */
  readonly causedBy: HealthCode | null;
}

/** The page about a code. */
export function docsOf(code: HealthCode): string {
  return `docs/checks/${code}.md`;
}

/** All checks in their groups. `skipped` are the codes that there is nothing to say about. */
export function checkReport(options: {
  readonly namespace: string;
  readonly site: string | null;
  readonly warnings: readonly HealthWarning[];
  readonly skipped: ReadonlySet<HealthCode>;
  readonly facts?: CheckFacts;
}): CheckReport {
  const { namespace, site, warnings, skipped, facts } = options;
  const problems = new Map<HealthCode, { readonly problem: CheckProblem; readonly severity: HealthWarning['severity'] }[]>();
  const add = ({ code, text, evidence, remedy, severity }: HealthWarning, causedBy: HealthCode | null): void => {
    const found = problems.get(code) ?? [];
    problems.set(code, [...found, { problem: { text, evidence, remedy, causedBy }, severity }]);
  };
  for (const { warning, follows } of rootCauses(warnings)) {
    add(warning, null);
    for (const consequence of follows) add(consequence, warning.code);
  }
  const checkOf = (code: HealthCode): Check => {
    const found = problems.get(code) ?? [];
    const root = found.find(({ problem }) => problem.causedBy === null);
    const bad: CheckResult = root === undefined ? 'follows' : root.severity;
    const result: CheckResult = found.length > 0 ? bad : skipped.has(code) ? 'skipped' : 'ok';
    return {
      code,
      description: healthCodes[code].expected,
      result,
      docs: docsOf(code),
      problems: found.map(({ problem }) => problem),
      facts: result === 'ok' ? (facts?.get(code) ?? []) : [],
    };
  };
  const categories = healthCategories.map((name) => ({
    name,
    checks: healthCodeNames.filter((code) => healthCodes[code].category === name).map(checkOf),
  }));
  const success = categories.every(({ checks }) => checks.every(({ result }) => result !== 'error'));
  return { success, namespace, site, categories };
}

/** The report about a namespace whose site does not run. */
export function stoppedReport(
  namespace: string,
  site: string | null,
  problem: { readonly text: string; readonly remedy: string },
): CheckReport {
  const { severity } = healthCodes['site-not-running'];
  const checks = healthCodeNames.map((code): Check => {
    const isCause = code === 'site-not-running';
    return {
      code,
      description: healthCodes[code].expected,
      result: isCause ? severity : 'skipped',
      docs: docsOf(code),
      problems: isCause ? [{ ...problem, evidence: '', causedBy: null }] : [],
      facts: [],
    };
  });
  const categories = healthCategories.map((name) => ({
    name,
    checks: checks.filter(({ code }) => healthCodes[code].category === name),
  }));
  return { success: false, namespace, site, categories };
}
