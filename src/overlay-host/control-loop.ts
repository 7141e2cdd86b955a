import { WeatherError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { WantedRecord } from '../overlay/compiler/service-compiler.ts';
import { octetsOf } from '../overlay/control/address.ts';
import type { DirectoryEntry } from '../overlay/control/directory.ts';
import type { HostControl, HostOutput } from '../overlay/control/host-control.ts';
import type { LocalEndpoint } from '../overlay/control/host-maps.ts';
import type { MoveTicket } from '../overlay/control/local-endpoints.ts';
import { formatMessage, parseMessage, type MessageRecord } from '../overlay/control/messages.ts';
import type { MapWrite } from '../overlay/control/plan.ts';
import { endpointKeyCodec } from '../overlay/layout/endpoint.ts';
import { maps } from '../overlay/layout/maps.ts';
import { pathCodec } from '../overlay/layout/path.ts';
import type { Labels } from '../overlay/resources/resource-types.ts';
import type { DataPath } from './data-path/data-path.ts';
import { monotonicMs } from './monotonic-clock.ts';
import type { Placement, PlacementRequest, Placements } from './placements.ts';
import type { StateStore } from './store/state-store.ts';

export interface ControlLoopOptions {
  readonly control: HostControl;
  readonly dataPath: DataPath;
  readonly store: StateStore;
  readonly send: (to: number, text: string) => void;
  /** Sets or deletes a record of the catalog. */
  readonly record: (record: WantedRecord) => void;
  /** The lease of an endpoint's address is over. */
  readonly cut: (endpoint: LocalEndpoint) => void;
  /** The disk fails: the daemon cannot go on. */
  readonly failed: (error: Error) => void;
  readonly log: Logger;
}

interface Pending {
  readonly placed: (endpoint: LocalEndpoint) => void;
  readonly done: (ticket: MoveTicket | undefined) => void;
  readonly failed: (error: Error) => void;
}

/** Events of the data path that are taken at a time; the rest waits in the ring buffer. */
const eventsAtATime = 256;
const eventsEveryMs = 50;
const longestSleepMs = 1000;
/** Maps are compared as a whole then, which takes its time. */
const repairAfterMs = 5000;
/** As long as the data path itself believes in a path. */
const pathNs = 30_000_000_000n;

/** Runs the control of a host: gives it time, messages and events, and does what it says, in its order. */
export class ControlLoop implements Placements, Disposable {
  readonly #options: ControlLoopOptions;
  readonly #pending = new Map<number, Pending>();
  #lastRequest = 0;
  #timer: NodeJS.Timeout | undefined;
  #events: NodeJS.Timeout | undefined;
  #repair: NodeJS.Timeout | undefined;
  /** Messages that wait for the disk, in their order; undefined when none does. */
  #sending: Promise<void> | undefined;
  #isClosed = false;
  /** Told to this process by peers in words that are none. */
  malformed = 0;

  constructor(options: ControlLoopOptions) {
    this.#options = options;
  }

  /** From here on time passes. */
  start(): void {
    this.#events = setInterval(() => {
      for (const event of this.#options.dataPath.drain(eventsAtATime)) this.#options.control.relayed(event, monotonicMs());
      this.act();
    }, eventsEveryMs);
    this.act();
  }

  received(from: number, text: string): void {
    const records = parseMessage(text);
    if (records === undefined) {
      this.malformed++;
      this.#options.log.warn('a host sent a malformed message', { hostId: from });
      return;
    }
    this.#options.control.receive(from, records, monotonicMs());
    this.act();
  }

  place({ subnetId, ifindex, mac, fixed, labels }: PlacementRequest): Placement {
    const { control } = this.#options;
    const identity = control.identityFor(subnetId, labels);
    return this.#request((requestId) => control.add({ requestId, subnetId, ifindex, mac, identity, flags: 0, fixed }, monotonicMs()));
  }

  /** The endpoint of a link, with the addresses that it had at another host. */
  moveIn(ifindex: number, ticket: MoveTicket): Placement {
    return this.#request((requestId) => this.#options.control.moveIn(requestId, ifindex, ticket, monotonicMs()));
  }

  /** The ticket for the other host; the endpoint is served here until that has it. */
  moveOut(ifindex: number): Promise<MoveTicket> {
    const { promise, resolve, reject } = Promise.withResolvers<MoveTicket>();
    const done = (ticket: MoveTicket | undefined): void => {
      if (ticket === undefined) reject(new WeatherError('no-ticket', 'the control gave no ticket'));
      else resolve(ticket);
    };
    const requestId = this.#newRequest({ placed: () => undefined, done, failed: reject });
    this.#options.control.moveOut(requestId, ifindex, monotonicMs());
    this.act();
    return promise;
  }

  /** The endpoint of a link has these labels from now on; it keeps its addresses. Nothing happens when it has them, or is not there. */
  relabel(ifindex: number, labels: Labels): void {
    this.#options.control.relabel(ifindex, labels, monotonicMs());
    this.act();
  }

  async remove(ifindex: number): Promise<void> {
    this.#options.control.delete(ifindex, monotonicMs());
    this.act();
    await this.#options.store.saved();
  }

  endpoint(ifindex: number): LocalEndpoint | undefined {
    for (const endpoint of this.#options.control.endpoints) if (endpoint.ifindex === ifindex) return endpoint;
    return undefined;
  }

  /** Does what the control has said, and waits for its next time. */
  act(): void {
    if (this.#isClosed) return;
    const { control } = this.#options;
    try {
      for (let outputs = control.takeOutputs(); outputs.length > 0; outputs = control.takeOutputs()) {
        for (let at = 0; at < outputs.length; at++) {
          const writes: MapWrite[] = [];
          for (let next = outputs[at]; next?.kind === 'map'; next = outputs[++at]) writes.push(next.write);
          if (writes.length > 0) this.#write(writes);
          const output = outputs[at];
          if (output !== undefined) this.#do(output);
        }
      }
    } catch (error) {
      this.#options.failed(error as Error);
      return;
    }
    const nowMs = monotonicMs();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => {
        control.handleTimeout(monotonicMs());
        this.act();
      },
      Math.min(Math.max(control.nextDeadlineMs(nowMs) - nowMs, 0), longestSleepMs),
    );
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    clearInterval(this.#events);
    clearTimeout(this.#repair);
    for (const { failed } of this.#pending.values()) failed(new WeatherError('stopping', 'the daemon is stopping'));
    this.#pending.clear();
  }

  #request(ask: (requestId: number) => void): Placement {
    const placed = Promise.withResolvers<LocalEndpoint>();
    const known = Promise.withResolvers<void>();
    // Either may be awaited first, and the other not at all.
    placed.promise.catch(() => undefined);
    known.promise.catch(() => undefined);
    const requestId = this.#newRequest({
      placed: placed.resolve,
      done: () => known.resolve(),
      failed: (error) => {
        placed.reject(error);
        known.reject(error);
      },
    });
    ask(requestId);
    this.act();
    return { placed: placed.promise, known: known.promise };
  }

  #newRequest(pending: Pending): number {
    const requestId = ++this.#lastRequest;
    this.#pending.set(requestId, pending);
    return requestId;
  }

  #do(output: HostOutput): void {
    const { store, cut, record, log } = this.#options;
    switch (output.kind) {
      case 'store':
        store.set(output.key, output.value);
        this.#sending = this.#afterSaving();
        return;
      case 'map':
        this.#write([output.write]);
        return;
      case 'record':
        record(output.record);
        return;
      case 'send':
        this.#send(output.to, output.records);
        return;
      case 'placed':
        this.#pending.get(output.requestId)?.placed(output.endpoint);
        return;
      case 'done':
        this.#pending.get(output.requestId)?.done(output.ticket);
        this.#pending.delete(output.requestId);
        return;
      case 'failed':
        this.#pending.get(output.requestId)?.failed(output.error);
        this.#pending.delete(output.requestId);
        return;
      case 'cut':
        log.warn('the lease of an address is over, its pod is cut off', { ifindex: output.endpoint.ifindex });
        cut(output.endpoint);
        return;
      case 'path':
        this.#learn(output.entry, output.hostGeneration);
        return;
      case 'resolved':
        return;
    }
  }

  /** What belongs together is written in one go; when that fails, what can be written is, and the rest when it can be. */
  #write(writes: readonly MapWrite[]): void {
    try {
      this.#options.dataPath.apply(writes);
    } catch (error) {
      if (!(error instanceof WeatherError)) throw error;
      for (const write of writes) this.#writeOne(write);
    }
  }

  /** A map that is full, or a link that is gone already: what is missing is written when it can be. */
  #writeOne(write: MapWrite): void {
    const { dataPath, log } = this.#options;
    try {
      dataPath.apply([write]);
    } catch (error) {
      if (!(error instanceof WeatherError)) throw error;
      log.warn('a map of the data path could not be written', { map: write.map, reason: error.message });
      this.#repair ??= setTimeout(() => this.#repairMaps(), repairAfterMs);
    }
  }

  #repairMaps(): void {
    const { control, dataPath } = this.#options;
    this.#repair = undefined;
    this.#write(control.repairs(dataPath.contents()));
  }

  /** What is sent from now on waits for what has been stored until now. */
  #afterSaving(): Promise<void> {
    const saving = Promise.all([this.#sending, this.#options.store.saved()]).then(
      () => {
        if (this.#sending === saving) this.#sending = undefined;
      },
      (error: unknown) => this.#options.failed(error as Error),
    );
    return saving;
  }

  #send(to: number, records: readonly MessageRecord[]): void {
    const text = formatMessage(records);
    if (this.#sending === undefined) this.#options.send(to, text);
    else void this.#sending.then(() => this.#isClosed || this.#options.send(to, text));
  }

  /** A path that an owner told. The data path overwrites it with what it hears itself. */
  #learn({ vni, address, hostId, generation, identity, mac }: DirectoryEntry, hostGeneration: number): void {
    const { dataPath } = this.#options;
    const key = endpointKeyCodec.encode({ vni, address: octetsOf(address) });
    const nowNs = process.hrtime.bigint();
    const found = dataPath.record(maps.paths.name, key);
    const known = found === undefined ? undefined : pathCodec.decode(found);
    if (known !== undefined && known.expiresNs > nowNs && known.endpointGeneration > generation) return;
    const isSame = known?.hostId === hostId && known.hostGeneration === hostGeneration;
    const path = {
      hostId,
      hostGeneration,
      endpointGeneration: generation,
      told: isSame ? known.told : 0,
      expiresNs: nowNs + pathNs,
      mac: octetsOf(mac),
      previousHostId: known === undefined ? 0 : isSame ? known.previousHostId : known.hostId,
      identity,
    };
    dataPath.apply([{ kind: 'put', map: maps.paths.name, key, value: pathCodec.encode(path) }]);
  }
}
