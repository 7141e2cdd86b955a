import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import type { LinkEndpoint } from '../pki/grant.ts';
import { renewAtIssuer } from './redemption-client.ts';
import type { TrustStore } from './trust-store.ts';

export interface RenewalOptions {
  /** Wall clock, milliseconds since 1970: certificates count by it, also while the host sleeps. */
  readonly wallMs: () => number;
  readonly random: Random;
  readonly log: Logger;
  /** More issuers to try, such as those the site is linked to now. Asked anew on each renewal. */
  readonly issuers?: () => readonly LinkEndpoint[];
  /** Whether other sites refuse the present certificate for its issuer: then another one is asked for before its time. */
  readonly isRefused?: () => boolean;
}

/** The wall clock, and whether the certificate is refused, are looked at this often: so a host that wakes from sleep renews soon. */
const pollMs = 5000;
/** A certificate that is refused is renewed at most this often: the reason given may be somebody's lie. */
const refusedPauseMs = 60_000;
const firstRetryMs = 1000;
const lastRetryMs: number = 5 * 60_000;

/**
 * Keeps the site's certificates fresh until disposed: renews the TLS certificate at half of its life, by this site's own
 * authority when it has one, otherwise at the issuers it knows, one after the other; retries with growing pauses.
 */
export function startRenewal(store: TrustStore, options: RenewalOptions): AsyncDisposable {
  const stop = new AbortController();
  const running = run(store, options, stop.signal);
  return {
    async [Symbol.asyncDispose](): Promise<void> {
      stop.abort();
      await running;
    },
  };
}

async function run(store: TrustStore, options: RenewalOptions, signal: AbortSignal): Promise<void> {
  let retryMs = firstRetryMs;
  let refusedMs = -Infinity;
  let attempt = 0;
  // Something about the site's trust is new: what is due may have changed.
  let wake = new AbortController();
  using _woken = disposable(store.onCredentials(() => wake.abort()));
  while (!signal.aborted) {
    const isRefused = options.wallMs() - refusedMs >= refusedPauseMs && options.isRefused?.() === true;
    if (isRefused) refusedMs = options.wallMs();
    let pauseMs = isRefused ? 0 : Math.min(waitMs(store, options), pollMs);
    if (pauseMs <= 0) {
      let failure: Error | undefined = new Error('no issuer could give what is missing');
      try {
        await renewOnce(store, options, signal, attempt++);
        failure = waitMs(store, options) > 0 ? undefined : failure;
      } catch (error) {
        if (signal.aborted) return;
        failure = error as Error;
      }
      if (failure === undefined) {
        retryMs = firstRetryMs;
      } else {
        pauseMs = retryMs * (0.5 + options.random.number() / 2);
        retryMs = Math.min(retryMs * 2, lastRetryMs);
        options.log.warn('certificate not renewed', { reason: String(failure), retryInMs: Math.round(pauseMs) });
      }
    }
    // What changed during the renewal was its own doing.
    wake = new AbortController();
    await sleep(pauseMs, undefined, { signal: AbortSignal.any([signal, wake.signal]) }).catch(() => undefined);
  }
}

function disposable(dispose: () => void): Disposable {
  return { [Symbol.dispose]: dispose };
}

function waitMs(store: TrustStore, { wallMs }: RenewalOptions): number {
  const dueAtMs = store.renewalDueAtMs;
  return dueAtMs === undefined ? Infinity : Math.max(0, dueAtMs - wallMs());
}

/**
 * Renews now. Throws the last issuer's WeatherError when none renewed. `first`: which of the known issuers is asked first, so
 * that one whose certificates are of no use does not stand in the way of the others.
 */
export async function renewOnce(store: TrustStore, options: RenewalOptions, signal?: AbortSignal, first = 0): Promise<void> {
  const renewedHere = store.mayIssue && (await renewHere(store, options.log));
  if (renewedHere && !store.membershipNeedsExtension) return;
  const issuers = [...(options.issuers?.() ?? []), ...store.renewAt];
  const from = issuers.length === 0 ? 0 : first % issuers.length;
  const failure = await renewElsewhere(store, [...issuers.slice(from), ...issuers.slice(0, from)], signal);
  // With a fresh TLS certificate of its own making, the membership's extension can wait for the next time.
  if (failure !== undefined && !renewedHere) throw failure;
}

async function renewHere(store: TrustStore, log: Logger): Promise<boolean> {
  try {
    await store.renewLocally();
    return true;
  } catch (error) {
    log.warn('certificate not renewed by this site itself', { reason: String(error) });
    return false;
  }
}

async function renewElsewhere(store: TrustStore, issuers: readonly LinkEndpoint[], signal: AbortSignal | undefined): Promise<unknown> {
  let failure: unknown = new Error('no issuer is known');
  for (const issuer of issuers) {
    try {
      await renewAtIssuer(store, issuer, signal);
      return undefined;
    } catch (error) {
      if (signal?.aborted === true) return error;
      failure = error;
    }
  }
  return failure;
}
