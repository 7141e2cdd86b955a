import { setTimeout as sleep } from 'node:timers/promises';
import { WeatherError } from '../base/errors.ts';
import type { NetworkModel } from '../flows/network-model.ts';
import type { NetworkSnapshot, RequestRow, RequestTrace, StatReport } from '../flows/network-snapshot.ts';
import { ObservedNetwork } from '../flows/observed-network.ts';
import type { StatQuery } from '../flows/stat-report.ts';
import { matchesRequest, type RequestFilter } from '../flows/tap-filter.ts';
import type { TopologyReport } from '../flows/topology-report.ts';
import type { Call } from './call.ts';
import type { FlowSession, FlowSessionOptions } from './flow-session.ts';
import { printableLine } from './printable.ts';
import { withProgress } from './progress.ts';
import type { SiteSession } from './site-session.ts';

/** Routers of this kind answer within a second. */
const settleMs = 4000;
/** A skupper-router speaks up every ten. */
const settleUnsignedMs = 11_000;
const settlePollMs = 50;
const topologyMs = 3000;
const tickMs = 500;
/** Windows of commands begin when they are typed: short slots make them exact. */
const fineSlotMs = 500;
/** What happened in a window has been told so much later. */
const lateMs = 1500;

/** Listens to the network by itself, as long as the command runs. */
class OwnFlows implements FlowSession {
  readonly isObserver = false;
  /** What does not arrive counts as dropped. */
  readonly missed = 0;
  readonly #call: Call;
  readonly #session: SiteSession;
  readonly #stopping = new AbortController();
  #observed: ObservedNetwork | undefined;
  #startedMs = 0;
  /** When the window ended that was listened for. */
  #endedMs = Infinity;
  #listening: Promise<void> = Promise.resolve();
  #failure: unknown;
  #topology: TopologyReport | undefined;
  #tick: NodeJS.Timeout | undefined;
  #follower: ((id: string) => void) | undefined;

  constructor(call: Call, session: SiteSession) {
    this.#call = call;
    this.#session = session;
  }

  get #model(): NetworkModel {
    this.#check();
    if (this.#observed === undefined) throw new WeatherError('no-answer', 'the site has told no records yet');
    return this.#observed.model;
  }

  /** Begins to listen, and waits until all sites that routing knows have told something, or a few seconds. */
  async open({ detail }: FlowSessionOptions): Promise<void> {
    await this.#askTopology();
    // A skupper-router tells no sums: its connections are counted one by one.
    const counts = this.#topology?.sites.some(({ trust }) => trust === 'unsigned') === true;
    this.#listening = this.#session
      .stream('OBSERVE', { detail: detail || counts, logs: false }, (body) => this.#take(body as ObservedLine), this.#stopping.signal)
      .then(
        () => this.#end(new WeatherError('observation-ended', 'the site ended the observation', { remedy: 'see van site status' })),
        (error: unknown) => this.#end(error),
      );
    const untilMs = performance.now() + (counts ? settleUnsignedMs : settleMs);
    const { shell } = this.#call;
    await withProgress(
      shell,
      () => `no observer runs here: listening to the network by itself, ${this.#tellingText()}`,
      async () => {
        while (!this.#isSettled && performance.now() < untilMs) {
          this.#check();
          await sleep(settlePollMs);
        }
      },
    );
    const silent = this.#silentSites();
    if (silent.length > 0) {
      const names = silent.slice(0, 5).join(', ');
      const verb = silent.length === 1 ? 'tells' : 'tell';
      shell.writeError(`${names}${silent.length > 5 ? ` and ${silent.length - 5} more` : ''} ${verb} no records (yet).\n`);
    }
    this.#startedMs = Date.now();
  }

  async listen(milliseconds: number): Promise<void> {
    const endMs = this.#startedMs + milliseconds;
    const untilMs = endMs + lateMs;
    const { shell } = this.#call;
    await withProgress(
      shell,
      () => `no observer runs here: listening for ${Math.round(milliseconds / 1000)} s, ${this.#tellingText()}`,
      async () => {
        while (Date.now() < untilMs && !shell.isReaderGone) {
          this.#check();
          await sleep(Math.min(200, Math.max(1, untilMs - Date.now())));
        }
      },
    );
    this.#check();
    this.#endedMs = Math.min(Date.now(), endMs);
  }

  snapshot(windowMs: number): Promise<NetworkSnapshot> {
    return Promise.resolve(this.#model.snapshot(this.#heardOf(windowMs), this.#windowEndMs));
  }

  stat(query: StatQuery): Promise<StatReport> {
    return Promise.resolve(this.#model.stat({ ...query, windowMs: this.#heardOf(query.windowMs) }, this.#windowEndMs));
  }

  requests(filter: RequestFilter, limit: number): Promise<readonly RequestRow[]> {
    return Promise.resolve(this.#model.requests(filter, limit));
  }

  trace(id: string): Promise<RequestTrace | undefined> {
    return Promise.resolve(this.#model.trace(id));
  }

  async follow(filter: RequestFilter, take: (row: RequestRow) => boolean, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const stop = (): void => {
      this.#follower = undefined;
      resolve(undefined);
    };
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    this.#follower = (id): void => {
      const row = this.#observed?.model.request(id);
      if (row === undefined || !matchesRequest(filter, row)) return;
      if (!take(row)) stop();
    };
    try {
      await Promise.race([promise, this.#listening]);
      this.#check();
    } finally {
      this.#follower = undefined;
      signal.removeEventListener('abort', stop);
    }
  }

  dropped(): Promise<number> {
    const model = this.#observed?.model;
    return Promise.resolve(model === undefined ? 0 : model.droppedFlows + model.lostMessageCount);
  }

  droppedSoFar(): Promise<number> {
    return this.dropped();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    clearInterval(this.#tick);
    await this.#listening;
  }

  /** What was heard before the sites had answered is not whole. */
  #heardOf(windowMs: number): number {
    return Math.max(2 * fineSlotMs, Math.min(windowMs, this.#windowEndMs - this.#startedMs));
  }

  get #windowEndMs(): number {
    return Math.min(Date.now(), this.#endedMs);
  }

  #take(body: ObservedLine): boolean {
    if (body.routerId !== undefined) {
      const onRequest = (id: string): void => this.#follower?.(id);
      this.#observed = new ObservedNetwork({ nowMs: Date.now(), ownRouterId: body.routerId, fineSlotMs, isSpread: true, onRequest });
      if (this.#topology !== undefined) this.#observed.model.topology(this.#topology);
      let topologyDueMs = performance.now() + topologyMs;
      this.#tick = setInterval(() => {
        this.#observed?.handleTimeout(performance.now(), Date.now());
        if (performance.now() < topologyDueMs) return;
        topologyDueMs = performance.now() + topologyMs;
        void this.#askTopology().catch(() => undefined);
      }, tickMs);
    } else if (body.to !== undefined && body.payload !== undefined) {
      const { to, payload, origin } = body;
      this.#observed?.receive({ to, payload: Buffer.from(payload, 'base64'), origin }, performance.now(), Date.now());
    } else if (body.lost !== undefined) {
      this.#observed?.model.lostMessages(body.lost);
    }
    return !this.#call.shell.isReaderGone;
  }

  async #askTopology(): Promise<void> {
    const report = await this.#session.ask<TopologyReport | null>('NETWORK', {});
    if (report === null) return;
    this.#topology = report;
    this.#observed?.model.topology(report);
  }

  get #isSettled(): boolean {
    return this.#observed !== undefined && this.#observed.model.tellingRouters().size > 0 && this.#silentSites().length === 0;
  }

  #silentSites(): readonly string[] {
    const telling = this.#observed?.model.tellingRouters();
    const sites = this.#topology?.sites ?? [];
    return sites.filter(({ routerId }) => telling?.has(routerId) !== true).map(({ name }) => printableLine(name));
  }

  #tellingText(): string {
    const all = this.#topology?.sites.length ?? 0;
    return `${all - this.#silentSites().length} of ${all} sites tell records`;
  }

  #end(error: unknown): void {
    if (!this.#stopping.signal.aborted) this.#failure = error;
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}

interface ObservedLine {
  readonly routerId?: string;
  readonly to?: string;
  readonly payload?: string;
  readonly origin?: string;
  readonly lost?: number;
}

/** Listens to the network. Throws as SiteSession does. */
export async function openOwnFlows(call: Call, session: SiteSession, options: FlowSessionOptions): Promise<FlowSession> {
  const flows = new OwnFlows(call, session);
  try {
    await flows.open(options);
  } catch (error) {
    await flows[Symbol.asyncDispose]();
    throw error;
  }
  return flows;
}
