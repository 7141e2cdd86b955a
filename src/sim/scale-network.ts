import type { ControlMessage } from '../routing/control-message.ts';
import { RoutingEngine } from '../routing/engine.ts';
import { PathScratch } from '../routing/path-scratch.ts';
import type { RouteTable } from '../routing/route-table.ts';
import { Treatment } from '../routing/route-table.ts';
import { RouterIndex } from '../routing/router-index.ts';
import type { SignedRecord } from '../routing/signed-record.ts';
import { ScaleTrust } from './scale-trust.ts';
import { HeldRecords } from './scale-warm-start.ts';
import type { SeededRandom } from './seeded-random.ts';

/** Messages that arrive in one millisecond, in the order in which they were sent. */
interface Arrivals {
  readonly routers: number[];
  readonly cables: Cable[];
  readonly messages: ControlMessage[];
}

/** A link between two routers; both call it by its number. */
export interface Cable {
  readonly number: number;
  readonly ends: readonly [number, number];
  readonly delayMs: number;
  up: boolean;
}

/** What has been counted since the start. */
export interface ScaleCounts {
  /** Routing messages other than HELLO, one for each link that it goes over. */
  messages: number;
  hellos: number;
  /** Signed records in those messages. */
  records: number;
  octets: number;
}

/**
 * A portion of records is given to a group of routers one after the other, then the next portion to the same group: few enough that both stay in the
 * processor's caches. What a group would pass on is dropped before the next one's turn.
 */
const recordsAtATime = 256;
const routersAtATime = 64;
/** Instance of a router's first life, like some boot time. */
const instance = 1_700_000_000;

/**
 * Thousands of routing engines in one process, in virtual time: only what routing itself does, without sessions, links and bytes.
 * Messages are passed on as they are and take the delay of their link; all that reaches a router in one millisecond is one turn.
 */
export class ScaleNetwork {
  readonly index: RouterIndex = new RouterIndex(true);
  readonly cables: Cable[] = [];
  readonly counts: ScaleCounts = { messages: 0, hellos: 0, records: 0, octets: 0 };
  /** By router: when its routes, and when anything in its route table, last became others. */
  readonly routesChangedMs: Float64Array;
  readonly tableChangedMs: Float64Array;
  nowMs = 0;
  readonly #engines: (RoutingEngine | undefined)[] = [];
  readonly #cablesOf: Cable[][] = [];
  readonly #tables: (RouteTable | undefined)[] = [];
  readonly #arrivals = new Map<number, Arrivals>();
  readonly #timers = new Map<number, number[]>();
  /** By router: the earliest time that it is in `#timers`. */
  readonly #dueMs: Float64Array;
  readonly #touched: number[] = [];
  readonly #isTouched: Uint8Array;
  /** Where records go while they are not carried. */
  #held: HeldRecords | undefined;

  /** `size` routers that sign, without links. */
  constructor(size: number) {
    this.routesChangedMs = new Float64Array(size);
    this.tableChangedMs = new Float64Array(size);
    this.#dueMs = new Float64Array(size).fill(Infinity);
    this.#isTouched = new Uint8Array(size);
    const authority = new ScaleTrust();
    const pathScratch = new PathScratch();
    for (let router = 0; router < size; router++) this.index.indexOf(`router-${router}`);
    for (let router = 0; router < size; router++) {
      const routerId = this.index.idOf(router);
      const trust = authority.router(routerId);
      this.#engines.push(new RoutingEngine({ routerId, instance, trust, routerIndex: this.index, pathScratch }));
      this.#cablesOf.push([]);
      this.#tables.push(undefined);
    }
  }

  get size(): number {
    return this.#engines.length;
  }

  /** The engine of a router that runs. */
  engine(router: number): RoutingEngine | undefined {
    return this.#engines[router];
  }

  /** Routers that run. */
  get running(): number[] {
    return [...this.#engines.keys()].filter((router) => this.#engines[router] !== undefined);
  }

  /** Links of a router that are up. */
  cablesOf(router: number): Cable[] {
    return this.#cablesOf[router].filter(({ up }) => up);
  }

  connect(a: number, b: number, delayMs: number): void {
    const cable: Cable = { number: this.cables.length, ends: [a, b], delayMs, up: true };
    this.cables.push(cable);
    for (const end of cable.ends) {
      this.#cablesOf[end].push(cable);
      this.#engines[end]?.linkUp(cable.number, 1, this.nowMs, this.index.idOf(otherEnd(cable, end)));
      this.#touch(end);
    }
    this.#driveTouched();
  }

  /** Both ends notice at once, as when a connection is closed; what is on the way is lost. */
  cut(cable: Cable): void {
    if (!cable.up) return;
    cable.up = false;
    for (const end of cable.ends) {
      this.#engines[end]?.linkDown(cable.number, this.nowMs);
      this.#touch(end);
    }
    this.#driveTouched();
  }

  /** The router is gone; its neighbours notice at once. */
  crash(router: number): void {
    this.#engines[router] = undefined;
    for (const cable of this.cablesOf(router)) this.cut(cable);
  }

  /** A service is offered at a router. */
  announce(router: number, key: string): void {
    this.#engines[router]?.localAddress(key, Treatment.balanced, 0, this.nowMs);
    this.#touch(router);
    this.#driveTouched();
  }

  /** From now on records are not carried: routers learn who their neighbours are and sign it, and nobody hears of it. */
  holdRecords(): void {
    this.#held = new HeldRecords();
  }

  /**
   * Gives each router, as messages of a neighbour in one turn, all records that were held: it verifies and stores them and computes its paths, as
   * always. What it would pass on is dropped, since everybody has it. From then on everything is carried again.
   */
  releaseRecords(): void {
    const held = this.#held;
    if (held === undefined) throw new Error('bug: no records are held');
    const portions = held.takeAll(recordsAtATime);
    for (let first = 0; first < this.size; first += routersAtATime) {
      const end = Math.min(this.size, first + routersAtATime);
      for (const records of portions) for (let router = first; router < end; router++) this.#give(router, records, held);
      this.#driveTouched();
    }
    this.#held = undefined;
  }

  #give(router: number, records: readonly SignedRecord[], held: HeldRecords): void {
    const [cable] = this.#cablesOf[router];
    const message = cable === undefined ? undefined : held.messageOf(otherEnd(cable, router), records);
    if (message === undefined) return;
    this.#engines[router]?.receive(cable.number, message, this.nowMs);
    this.#touch(router);
  }

  run(durationMs: number): void {
    for (const endMs = this.nowMs + durationMs; this.nowMs < endMs;) {
      this.nowMs++;
      this.#deliver();
      this.#fire();
      this.#driveTouched();
    }
  }

  #deliver(): void {
    const arrivals = this.#arrivals.get(this.nowMs);
    if (arrivals === undefined) return;
    this.#arrivals.delete(this.nowMs);
    const { routers, cables, messages } = arrivals;
    for (const [at, router] of routers.entries()) {
      if (!cables[at].up) continue;
      this.#engines[router]?.receive(cables[at].number, messages[at], this.nowMs);
      this.#touch(router);
    }
  }

  #fire(): void {
    const due = this.#timers.get(this.nowMs);
    if (due === undefined) return;
    this.#timers.delete(this.nowMs);
    for (const router of due) {
      // A router that has got an earlier time since is in the list of that one too.
      if (this.#dueMs[router] > this.nowMs) continue;
      this.#dueMs[router] = Infinity;
      this.#engines[router]?.handleTimeout(this.nowMs);
      this.#touch(router);
    }
  }

  #touch(router: number): void {
    if (this.#isTouched[router] === 1) return;
    this.#isTouched[router] = 1;
    this.#touched.push(router);
  }

  #driveTouched(): void {
    for (const router of this.#touched) {
      this.#isTouched[router] = 0;
      const engine = this.#engines[router];
      if (engine !== undefined) this.#drive(router, engine);
    }
    this.#touched.length = 0;
  }

  #drive(router: number, engine: RoutingEngine): void {
    for (let out = engine.nextTransmit(); out !== undefined; out = engine.nextTransmit()) {
      if (this.#held?.take(router, out.message) === true) continue;
      this.#count(out.message, out.links.length);
      for (const link of out.links) this.#send(router, this.cables[link], out.message);
    }
    while (engine.nextEvent() !== undefined);
    const { table } = engine;
    const before = this.#tables[router];
    if (table !== before) {
      this.#tables[router] = table;
      this.tableChangedMs[router] = this.nowMs;
      if (table.routers !== before?.routers) this.routesChangedMs[router] = this.nowMs;
    }
    const dueMs = Math.max(this.nowMs + 1, Math.ceil(engine.nextDeadlineMs()));
    if (dueMs < this.#dueMs[router]) {
      this.#dueMs[router] = dueMs;
      const due = this.#timers.get(dueMs);
      if (due === undefined) this.#timers.set(dueMs, [router]);
      else due.push(router);
    }
  }

  #count({ opcode, records = [] }: ControlMessage, links: number): void {
    if (opcode === 'HELLO') {
      this.counts.hellos += links;
      return;
    }
    let octets = 0;
    for (const { bytes } of records) octets += bytes.length;
    this.counts.messages += links;
    this.counts.records += records.length * links;
    this.counts.octets += octets * links;
  }

  #send(from: number, cable: Cable, message: ControlMessage): void {
    if (!cable.up) return;
    const atMs = this.nowMs + cable.delayMs;
    let arrivals = this.#arrivals.get(atMs);
    if (arrivals === undefined) {
      arrivals = { routers: [], cables: [], messages: [] };
      this.#arrivals.set(atMs, arrivals);
    }
    arrivals.routers.push(otherEnd(cable, from));
    arrivals.cables.push(cable);
    arrivals.messages.push(message);
  }
}

export function otherEnd({ ends }: Cable, end: number): number {
  return ends[0] === end ? ends[1] : ends[0];
}

/** Links along random cycles through all routers: the graph is connected, and each router has `degree` links or a few less. */
export function connectAtRandom(network: ScaleNetwork, degree: number, random: SeededRandom): void {
  const { size } = network;
  const joined = new Set<number>();
  for (let cycle = 0; cycle < degree / 2; cycle++) {
    const order = Array.from({ length: size }, (_, at) => at);
    for (let at = size - 1; at > 0; at--) {
      const other = random.below(at + 1);
      [order[at], order[other]] = [order[other], order[at]];
    }
    for (const [at, a] of order.entries()) {
      const b = order[(at + 1) % size];
      const pair = Math.min(a, b) * size + Math.max(a, b);
      if (a === b || joined.has(pair)) continue;
      joined.add(pair);
      network.connect(a, b, 20 + random.below(61));
    }
  }
}
