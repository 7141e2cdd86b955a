/** Conditions and the status they add up to, as Skupper's resources show them (metav1.Condition of Kubernetes). */

export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False';
  readonly reason: 'Ready' | 'Pending' | 'Error';
  readonly message: string;
  /** When `status` last changed: RFC 3339. */
  readonly lastTransitionTime: string;
}

/** What the status of every kind has. */
export interface BaseStatus {
  readonly status: 'Ready' | 'Pending' | 'Error';
  readonly message: string;
  readonly conditions: readonly Condition[];
}

/** What one condition says; undefined = nothing can be said yet, the condition is left out. */
export type Finding = { readonly state: 'ready' } | { readonly state: 'pending' | 'error'; readonly message: string } | undefined;

export const ready: Finding = { state: 'ready' };

export function pending(message: string): Finding {
  return { state: 'pending', message };
}

export function failed(message: string): Finding {
  return { state: 'error', message };
}

/** When the conditions are made, and what they were before. */
export interface StatusMoment {
  /** Now, as RFC 3339 text. */
  readonly now: string;
  readonly previous: readonly Condition[];
}

/**
 * The status that findings add up to: the first that is missing or not true gives status and message. With `readyType`,
 * that result is a condition of its own too.
 */
export function statusOf(findings: Readonly<Record<string, Finding>>, readyType: 'Ready' | undefined, moment: StatusMoment): BaseStatus {
  const conditions: Condition[] = [];
  let result: Exclude<Finding, undefined> = { state: 'ready' };
  for (const [type, finding] of Object.entries(findings)) {
    const known = finding ?? { state: 'pending', message: `Not ${type}` };
    if (finding !== undefined) conditions.push(conditionOf(type, finding, moment));
    if (result.state === 'ready') result = known;
  }
  if (readyType !== undefined) conditions.push(conditionOf(readyType, result, moment));
  const status = result.state === 'ready' ? 'Ready' : result.state === 'error' ? 'Error' : 'Pending';
  return { status, message: messageOf(result), conditions };
}

function conditionOf(type: string, finding: Exclude<Finding, undefined>, { now, previous }: StatusMoment): Condition {
  const status = finding.state === 'ready' ? 'True' : 'False';
  const before = previous.find((condition) => condition.type === type);
  const reason = finding.state === 'ready' ? 'Ready' : finding.state === 'error' ? 'Error' : 'Pending';
  const lastTransitionTime = before?.status === status ? before.lastTransitionTime : now;
  return { type, status, reason, message: messageOf(finding), lastTransitionTime };
}

function messageOf(finding: Exclude<Finding, undefined>): string {
  return finding.state === 'ready' ? 'OK' : finding.message;
}
