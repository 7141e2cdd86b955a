import { setTimeout as sleep } from 'node:timers/promises';
import { WeatherError } from '../base/errors.ts';
import type { Kind } from '../site/resource-types.ts';
import type { Call, WaitLevel } from './call.ts';
import { printableLine } from './printable.ts';
import { withProgress } from './progress.ts';
import { unknownResource, type ShownResource, type SiteSession } from './site-session.ts';

/** A link is up in some 100 ms: this finds it soon and costs the site little. */
const pollMs = 100;

/** A resource to wait for. */
export interface Awaited {
  readonly kind: Kind;
  readonly name: string;
}

/**
 * Waits until each of `awaited` has reached `level`, and gives them as they are then. Throws WeatherError `not-ready` with the site's
 * last message after the timeout, or at once when the site says that it cannot be done.
 */
export async function waitForResources(
  call: Call,
  session: SiteSession,
  awaited: readonly Awaited[],
  level: WaitLevel,
): Promise<readonly ShownResource[]> {
  let state = 'waiting';
  return withProgress(
    call.shell,
    () => printableLine(state),
    () =>
      waitUntilReached(
        call,
        session,
        awaited,
        level,
        (late) => (state = `waiting for ${late.kind} '${late.metadata.name}': ${messageOf(late)}`),
      ),
  );
}

async function waitUntilReached(
  call: Call,
  session: SiteSession,
  awaited: readonly Awaited[],
  level: WaitLevel,
  waitsFor: (resource: ShownResource) => void,
): Promise<readonly ShownResource[]> {
  const deadlineMs = performance.now() + call.timeoutMs;
  for (;;) {
    const { resources } = await session.resources();
    const found = awaited.map(({ kind, name }) => {
      const resource = resources.find((candidate) => candidate.kind === kind && candidate.metadata.name === name);
      if (resource === undefined) throw unknownResource(kind, name, resources, call);
      return resource;
    });
    const late = found.find((resource) => !hasReached(resource, level));
    if (late === undefined) return found;
    waitsFor(late);
    const failure = failureOf(late);
    if (failure !== undefined || performance.now() > deadlineMs) {
      const remedy =
        failure === undefined ? `van${call.namespaceOption} ${statusVerb(late.kind)} shows how it goes on` : remedyOf(late, call);
      throw new WeatherError('not-ready', `${late.kind} '${late.metadata.name}' is not ${level}: ${failure ?? messageOf(late)}`, {
        remedy,
      });
    }
    await sleep(Math.min(pollMs, Math.max(1, deadlineMs - performance.now())));
  }
}

/** Whether the resource is as far as `level` says. */
export function hasReached({ kind, status }: ShownResource, level: WaitLevel): boolean {
  if (level === 'none' || kind === 'Secret') return true;
  if (status === undefined) return false;
  const isTrue = (type: string): boolean => status.conditions.some((condition) => condition.type === type && condition.status === 'True');
  // A site that accepts links has nothing to show for it before its first token: it runs, and that is what there is to wait for.
  if (kind === 'Site') return isTrue('Running');
  if (level === 'ready') return status.status === 'Ready';
  if (kind === 'AccessGrant') return isTrue('Processed');
  if (kind === 'AccessToken') return isTrue('Redeemed');
  return isTrue('Configured');
}

/** Why the resource cannot become what it should without somebody doing something; undefined when waiting may help. */
function failureOf({ status }: ShownResource): string | undefined {
  const failed = status?.conditions.find((condition) => condition.status === 'False' && condition.reason === 'Error');
  return failed?.message;
}

function messageOf({ status }: ShownResource): string {
  return status?.message ?? 'nothing is known about it';
}

function statusVerb(kind: Kind): string {
  if (kind === 'Listener') return 'listener status';
  if (kind === 'Connector') return 'connector status';
  return kind === 'Link' ? 'link status' : 'site status';
}

function remedyOf({ kind, metadata }: ShownResource, call: Call): string {
  const van = `van${call.namespaceOption}`;
  if (kind === 'Listener') return `${van} listener delete ${metadata.name}, then create it with another port or --host`;
  return `${van} ${statusVerb(kind)} shows its state`;
}
