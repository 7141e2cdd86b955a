import { healthCodeNames, healthCodes, type HealthCode, type Severity } from './health-codes.ts';

/** What a warning is about. A subject of kind `site` is this site as a whole: it is part of everything. */
export interface HealthSubject {
  readonly kind: 'site' | 'link' | 'router' | 'address' | 'resource';
  readonly name: string;
}

/** One thing that is wrong, as programs and people get it. */
export interface HealthWarning {
  readonly code: HealthCode;
  readonly title: string;
  readonly severity: Severity;
  /** Codes that may be the cause of this one. */
  readonly dependsOn: readonly HealthCode[];
  readonly subject: HealthSubject;
  /** What else it is about: the router at the other end of a link. */
  readonly related: readonly HealthSubject[];
  /** What is wrong, in a sentence that names the subject. */
  readonly text: string;
  /** What was seen. */
  readonly evidence: string;
  /** A command, or what else to do. */
  readonly remedy: string;
}

/** What a warning adds to the row of its code. */
export interface Finding {
  readonly subject: HealthSubject;
  readonly related?: readonly HealthSubject[];
  readonly text: string;
  readonly evidence?: string;
  readonly remedy: string;
}

export function healthWarning(code: HealthCode, finding: Finding): HealthWarning {
  const { title, severity, dependsOn, dependsOnSame } = healthCodes[code];
  const { subject, related = [], text, evidence = '', remedy } = finding;
  return { code, title, severity, dependsOn: [...dependsOn, ...dependsOnSame], subject, related, text, evidence, remedy };
}

/** A cause, and everything that follows from it. */
export interface RootCause {
  readonly warning: HealthWarning;
  readonly follows: readonly HealthWarning[];
}

/**
 * Warnings that have no cause among the others, the worst first, each with those that follow from it. Every warning is either a root
 * or follows from exactly one: the table of codes has no cycles.
 */
export function rootCauses(warnings: readonly HealthWarning[]): readonly RootCause[] {
  const order = [...warnings].sort(bySeverity);
  const causes = new Causes(order);
  const roots = new Map<HealthWarning, HealthWarning[]>();
  const causeOf = new Map(order.map((warning) => [warning, causes.of(warning)]));
  for (const warning of order) if (causeOf.get(warning) === undefined) roots.set(warning, []);
  for (const warning of order) {
    let root = warning;
    for (let cause = causeOf.get(root); cause !== undefined; cause = causeOf.get(root)) root = cause;
    if (root !== warning) roots.get(root)?.push(warning);
  }
  return [...roots].map(([warning, follows]) => ({ warning, follows }));
}

/** Finds what explains a warning without comparing each with each: of thousands that are about different things most have nothing to do with one another. */
class Causes {
  readonly #order: readonly HealthWarning[];
  /** Place of the first warning of a code. */
  readonly #first = new Map<HealthCode, number>();
  /** The same of a code and something that it is about. */
  readonly #firstAbout = new Map<HealthCode, Map<string, number>>();

  constructor(order: readonly HealthWarning[]) {
    this.#order = order;
    for (const [place, warning] of order.entries()) {
      const { code } = warning;
      if (!this.#first.has(code)) this.#first.set(code, place);
      const about = this.#firstAbout.get(code) ?? new Map<string, number>();
      this.#firstAbout.set(code, about);
      for (const key of aboutOf(warning)) if (!about.has(key)) about.set(key, place);
    }
  }

  /** The first in their order that explains `warning`. */
  of(warning: HealthWarning): HealthWarning | undefined {
    const { dependsOn, dependsOnSame } = healthCodes[warning.code];
    let best = Infinity;
    for (const code of dependsOn) best = Math.min(best, this.#first.get(code) ?? Infinity);
    const keys = aboutOf(warning);
    for (const code of dependsOnSame) {
      const about = this.#firstAbout.get(code);
      if (about !== undefined) for (const key of keys) best = Math.min(best, about.get(key) ?? Infinity);
    }
    return best === Infinity ? undefined : this.#order[best];
  }
}

function aboutOf({ subject, related }: HealthWarning): readonly string[] {
  return [subject, ...related].map(keyOf);
}

function keyOf({ kind, name }: HealthSubject): string {
  return `${kind}/${name}`;
}

const ranks: Readonly<Record<Severity, number>> = { error: 0, warning: 1, info: 2 };

function bySeverity(a: HealthWarning, b: HealthWarning): number {
  return (
    ranks[a.severity] - ranks[b.severity] ||
    healthCodeNames.indexOf(a.code) - healthCodeNames.indexOf(b.code) ||
    (keyOf(a.subject) < keyOf(b.subject) ? -1 : 1)
  );
}
