import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../base/clock.ts';
import { WeatherError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { SiteClient } from '../supervisor/site-client.ts';
import type { TopologyReport } from '../flows/topology-report.ts';
import type { ObservedSite } from './observer-state.ts';

/** What the site tells, given on. */
export interface FeedListener {
  connected(routerId: string): void;
  /** One message with records, from its first section on. */
  message(message: { readonly to: string; readonly payload: Uint8Array; readonly origin?: string }): void;
  /** Messages that did not arrive because this process was too slow. */
  lost(count: number): void;
  topology(report: TopologyReport): void;
}

export interface SiteFeedOptions {
  readonly client: SiteClient;
  readonly listener: FeedListener;
  readonly clock: Clock;
  readonly log: Logger;
}

/** After a connection was lost: at once, then twice as long each time, up to the last. A site restarts in seconds. */
const firstPauseMs = 250;
const lastPauseMs = 5000;
/** So long routers go on counting when this process has gone: an observer that is started anew goes on where it was. */
const lingerMs = 15_000;
const networkPeriodMs = 3000;
const statusPeriodMs = 5000;
const answerTimeoutMs = 10_000;
/** A check tries links and servers out. */
const checkTimeoutMs = 60_000;

interface ObserveBody {
  readonly routerId?: unknown;
  readonly to?: unknown;
  readonly payload?: unknown;
  readonly origin?: unknown;
  readonly lost?: unknown;
}

/** The connection to the observer's site: follows its records, and asks it for topology and status again and again. */
export class SiteFeed implements ObservedSite, AsyncDisposable {
  readonly #options: SiteFeedOptions;
  readonly #ending = new AbortController();
  readonly #running: Promise<unknown>;
  #isConnected = false;
  #connections = 0;
  #status: Readonly<Record<string, unknown>> | undefined;
  #checking: Promise<Readonly<Record<string, unknown>>> | undefined;
  #failure = '';

  constructor(options: SiteFeedOptions) {
    this.#options = options;
    this.#running = Promise.all([
      this.#follow(),
      this.#repeat(networkPeriodMs, async () => options.listener.topology(await this.#ask<TopologyReport>('NETWORK'))),
      this.#repeat(statusPeriodMs, async () => {
        this.#status = await this.#ask<Readonly<Record<string, unknown>>>('STATUS');
      }),
    ]);
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  get reconnections(): number {
    return Math.max(0, this.#connections - 1);
  }

  get status(): Readonly<Record<string, unknown>> | undefined {
    return this.#status;
  }

  /** One check at a time, for all who ask meanwhile. */
  check(): Promise<Readonly<Record<string, unknown>>> {
    this.#checking ??= this.#ask<Readonly<Record<string, unknown>>>('CHECK', checkTimeoutMs).finally(() => (this.#checking = undefined));
    return this.#checking;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await this.#running;
  }

  async #follow(): Promise<void> {
    const { client, log } = this.#options;
    const { signal } = this.#ending;
    let pauseMs = firstPauseMs;
    while (!signal.aborted) {
      const before = this.#connections;
      try {
        await client.stream(
          { operation: 'OBSERVE', attributes: { detail: true, logs: false, lingerMs } },
          (body) => this.#take(body as ObserveBody),
          signal,
        );
        if (!signal.aborted) this.#lostSite('the connection was closed');
      } catch (error) {
        if (!(error instanceof WeatherError)) throw error;
        this.#lostSite(error.message);
      }
      this.#isConnected = false;
      if (signal.aborted) break;
      if (this.#connections > before) pauseMs = firstPauseMs;
      log.debug('connecting to the site again', { pauseMs });
      await this.#pause(pauseMs);
      pauseMs = Math.min(pauseMs * 2, lastPauseMs);
    }
  }

  #lostSite(reason: string): void {
    if (reason === this.#failure) return;
    this.#failure = reason;
    this.#options.log.warn('the site tells no records', { reason });
  }

  #take(body: ObserveBody): boolean {
    const { listener, log } = this.#options;
    if (typeof body.routerId === 'string') {
      this.#isConnected = true;
      this.#connections++;
      this.#failure = '';
      log.info('observing', { router: body.routerId });
      listener.connected(body.routerId);
    } else if (typeof body.to === 'string' && typeof body.payload === 'string') {
      const origin = typeof body.origin === 'string' ? { origin: body.origin } : {};
      listener.message({ to: body.to, payload: Buffer.from(body.payload, 'base64'), ...origin });
    } else if (typeof body.lost === 'number') {
      listener.lost(body.lost);
    }
    return true;
  }

  #ask<Body>(operation: string, timeoutMs: number = answerTimeoutMs): Promise<Body> {
    return this.#options.client.request<Body>({ operation }, { timeoutMs, signal: this.#ending.signal });
  }

  async #repeat(periodMs: number, run: () => Promise<void>): Promise<void> {
    while (!this.#ending.signal.aborted) {
      try {
        await run();
      } catch (error) {
        if (!(error instanceof WeatherError)) throw error;
        this.#options.log.debug('the site did not answer', { reason: error.message });
      }
      await this.#pause(periodMs);
    }
  }

  async #pause(milliseconds: number): Promise<void> {
    await sleep(milliseconds, undefined, { signal: this.#ending.signal }).catch(() => undefined);
  }
}
