import { connect } from 'node:net';
import type { NetworkSnapshot, RequestRow, RequestTrace, StatReport } from '../flows/network-snapshot.ts';
import type { StatQuery } from '../flows/stat-report.ts';
import type { RequestFilter } from '../flows/tap-filter.ts';
import type { Call } from './call.ts';
import { ObserverFlows } from './observer-flows.ts';
import { openOwnFlows } from './own-flows.ts';
import { SiteSession } from './site-session.ts';

/** What commands know of the traffic: from the site's observer, or from what they hear themselves. */
export interface FlowSession extends AsyncDisposable {
  /** An observer answers. Otherwise nothing is known from before the command. */
  readonly isObserver: boolean;
  /** Waits until `milliseconds` have been heard; no time at all when an observer has heard before. */
  listen(milliseconds: number): Promise<void>;
  snapshot(windowMs: number): Promise<NetworkSnapshot>;
  stat(query: StatQuery): Promise<StatReport>;
  requests(filter: RequestFilter, limit: number): Promise<readonly RequestRow[]>;
  /** The waterfall of a request; undefined when it is not known, or not any more. */
  trace(id: string): Promise<RequestTrace | undefined>;
  /** Gives requests and connections when they are first told and when they have ended, until `take` wants no more, or `signal`. */
  follow(filter: RequestFilter, take: (row: RequestRow) => boolean, signal: AbortSignal): Promise<void>;
  /** Single requests and connections that were not recorded, or did not arrive here, in the last `windowMs`. */
  dropped(windowMs: number): Promise<number>;
  /** The same since some time before the command: how much it grows is what counts. */
  droppedSoFar(): Promise<number>;
  /** Beginnings and ends that `follow` did not see, because too many came at a time. */
  readonly missed: number;
}

export interface FlowSessionOptions {
  /** Whether single requests and connections are wanted. */
  readonly detail: boolean;
}

/** Longest window that commands can hear by themselves, and that observers answer from memory. */
export const longestWindowMs = 900_000;

/** Asks the observer of the site if there is one, and listens otherwise. Throws as SiteSession does. */
export async function openFlowSession(call: Call, options: FlowSessionOptions): Promise<FlowSession> {
  const session = new SiteSession(call);
  const { observerSocket } = session.layout;
  if (await isListening(observerSocket)) return new ObserverFlows(call, observerSocket);
  return openOwnFlows(call, session, options);
}

function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
