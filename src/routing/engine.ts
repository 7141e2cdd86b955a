import { Announcer } from './announcer.ts';
import { isRouterId, nodeName, parseControlAddress, type ControlScope } from './control-address.ts';
import type { ControlMap, ControlMessage } from './control-message.ts';
import { RoutingDiagnostics, type NeighbourLoss, type RoutingEvent } from './events.ts';
import { Exchange } from './exchange.ts';
import { isTooFar } from './flooding.ts';
import { helloExtension, withHelloExtension } from './hello-extension.ts';
import { LinkTable, type LinkProbes, type Neighbour } from './hello.ts';
import { linkStateOf, LinkStateGraph } from './link-state-graph.ts';
import { defaultTimers, firstLinkStateGatherMs, limits, type RoutingTimers } from './limits.ts';
import { helloBody, linkStateVersion, makerOf, mobileAddressVersion, parseHello, versionOf } from './message-body.ts';
import { sameNeighbours, tellNeighbourChanges } from './neighbour-changes.ts';
import { Outbox, type ControlTransmit } from './outbox.ts';
import { AddressDirectory } from './mobile-addresses.ts';
import { OwnIdWatch } from './own-id-watch.ts';
import { costs, OwnLinkState } from './own-link-state.ts';
import { PathSchedule } from './path-schedule.ts';
import { PathScratch } from './path-scratch.ts';
import { RouteTableBuilder } from './route-table-builder.ts';
import type { RouteTable, Treatment } from './route-table.ts';
import type { RoutingOptions } from './routing-options.ts';
import { RouterIndex } from './router-index.ts';
import { RouterNumbers } from './router-numbers.ts';
import { statusOf, type RoutingStatus } from './status.ts';
import { Topology } from './topology.ts';
import { SignedRouting } from './signed-routing.ts';
import { Transit } from './transit.ts';

export type { RoutingOptions };

/**
 * The link-state routing protocol of skupper-router: neighbours by HELLO, link states by RA, LSR and LSU, addresses by MAR and
 * MAU, and the route table that follows from them. With a trust, signed records between neighbours that sign too (signed-routing.ts).
 *
 *     linkUp linkDown receive localAddress handleTimeout  ->  [ machine ]  ->  nextTransmit nextEvent table nextDeadlineMs
 *
 * Inputs only note what has changed; the work that follows from it (paths, requests, updates, table) is done once, when an
 * output is next taken. So several inputs in one turn cost one computation and one update. Call outputs after inputs: drain
 * `nextTransmit` and `nextEvent`, read `table`, then set the timer to `nextDeadlineMs`. Time never goes back; if it seems to, the
 * latest time seen counts. Input from outside never throws: what cannot be used is counted and reported as an event.
 */
export class RoutingEngine {
  readonly #id: string;
  readonly #timers: RoutingTimers;
  readonly #diagnostics = new RoutingDiagnostics();
  readonly #outbox: Outbox;
  readonly #links: LinkTable;
  readonly #own: OwnLinkState;
  readonly #exchange: Exchange;
  /** Undefined where this router does not sign: then it verifies nothing either. */
  readonly #signed: SignedRouting | undefined;
  readonly #transit: Transit;
  readonly #announcer: Announcer;
  readonly #ownId: OwnIdWatch;

  #nowMs = 0;
  #startedMs: number | undefined;
  #nextTickMs = Infinity;
  #nextQuickHelloMs = Infinity;
  /** The deadline that the owner was last told. */
  #promisedMs = Infinity;
  #neighbours: ReadonlyMap<string, Neighbour> = new Map();
  #neighboursChanged = false;
  /** Nothing has come in since all consequences were drawn. */
  #isSettled = false;
  readonly #pathSchedule = new PathSchedule();
  /** A link in use is lost: paths are computed at once. */
  #pathsUrgent = false;
  readonly #losses = new Map<string, NeighbourLoss>();
  #topologyChangedMs = -Infinity;
  readonly #topology: Topology;
  readonly #numbers: RouterNumbers;
  readonly #tables: RouteTableBuilder;

  constructor(options: RoutingOptions) {
    if (!isRouterId(options.routerId)) throw new Error(`bug: not a router id: ${options.routerId}`);
    this.#id = options.routerId;
    this.#timers = { ...defaultTimers, ...options.timers };
    this.#links = new LinkTable(this.#timers);
    this.#ownId = new OwnIdWatch(options.routerId, options.instance, this.#diagnostics);
    this.#outbox = new Outbox(options.routerId);
    const { sequenceStart = 0 } = options;
    const gatherMs = options.trust === undefined ? 0 : firstLinkStateGatherMs;
    this.#own = new OwnLinkState(options.routerId, options.instance, sequenceStart, gatherMs);
    const { routerIndex = new RouterIndex(), pathScratch = new PathScratch() } = options;
    this.#topology = new Topology(new LinkStateGraph(routerIndex, this.#id), pathScratch);
    this.#numbers = new RouterNumbers(this.#topology.graph);
    const directory = new AddressDirectory();
    const { trust, instance, requireSigned = false } = options;
    if (trust !== undefined) {
      const { graph } = this.#topology;
      const machine = { graph, directory, outbox: this.#outbox, diagnostics: this.#diagnostics };
      this.#signed = new SignedRouting({ selfId: this.#id, instance, trust, requireSigned, ...machine });
    }
    this.#transit = new Transit(this.#id, this.#outbox, this.#diagnostics);
    this.#exchange = new Exchange(this.#own, this.#outbox, this.#diagnostics, sequenceStart, directory, this.#signed);
    this.#announcer = new Announcer(this.#own, this.#exchange, this.#outbox, this.#timers, this.#signed);
    this.#tables = new RouteTableBuilder(this.#topology, directory, this.#exchange.local, this.#signed?.rights);
    if (options.site !== undefined) this.#setSite(options.site);
  }

  /**
   * A control link is ready for messages. `cost` is a whole number of 1 or more (the connection's inter-router cost). With `peerId`
   * (the verified id of the other end) a HELLO of any other router on this link is refused; without it the first one is believed.
   */
  linkUp(link: number, cost: number, nowMs: number, peerId?: string): void {
    this.#advance(nowMs);
    if (!Number.isInteger(cost) || cost < 1 || cost > limits.linkCost) throw new Error(`bug: link cost ${cost}`);
    if (this.#links.has(link)) throw new Error(`bug: link ${link} is up already`);
    if (this.#links.size >= limits.links) {
      this.#diagnostics.limitReached('links', peerId ?? '');
      return;
    }
    if (this.#nextTickMs === Infinity) this.#nextTickMs = this.#nowMs + this.#timers.helloIntervalMs;
    this.#links.add(link, cost, peerId);
    this.#sendHello(link);
  }

  /** A control link is gone. Its neighbour is routed around from now on, unless another link leads to it. */
  linkDown(link: number, nowMs: number): void {
    this.#advance(nowMs);
    this.#signed?.linkDown(link);
    const routerId = this.#links.remove(link, this.#nowMs);
    if (routerId !== undefined) this.#loseLink(routerId, 'link lost');
  }

  /** A routing message came in on a control link. */
  receive(link: number, message: ControlMessage, nowMs: number): void {
    this.#advance(nowMs);
    const { opcode, trace } = message;
    const to = parseControlAddress(message.to);
    if (!this.#links.has(link)) {
      this.#diagnostics.ignored('unknown link', link, opcode);
    } else if (to === undefined) {
      this.#diagnostics.ignored('not a routing address', link, opcode);
    } else if (to.scope === 'neighbours' || (to.scope === 'router' && to.routerId === this.#id)) {
      this.#read(link, to, message);
    } else if (trace.includes(nodeName(this.#id))) {
      this.#diagnostics.ignored('loop', link, opcode);
    } else {
      this.#recompute();
      if (isTooFar(trace, this.#tables.table.radius)) {
        this.#diagnostics.ignored('too far', link, opcode);
        return;
      }
      const { table } = this.#tables;
      const view = { table, neighbours: this.#neighbours, topologyVersion: this.#topology.version };
      this.#transit.passOn(link, to, message, view, this.#nowMs);
      if (to.scope === 'all') this.#read(link, to, message);
    }
  }

  /**
   * An address has its first consumer here, or its treatment or number of producers changed. `key`: hash key (class letter and
   * address); keys of other classes than M, N and H are not for other routers and are left alone.
   */
  localAddress(key: string, treatment: Treatment, producers: number, nowMs: number): void {
    this.#advance(nowMs);
    const { local, directory } = this.#exchange;
    if (local.set(key, treatment, producers) === 'no room') this.#diagnostics.limitReached('addressesPerRouter', this.#id);
    directory.touch(key);
  }

  /** An address has lost its last consumer here. */
  localAddressGone(key: string, nowMs: number): void {
    this.#advance(nowMs);
    this.#exchange.local.delete(key);
    this.#exchange.directory.touch(key);
  }

  /** This router is about to leave: others find ways around it where there are any. What begins or ends here goes on. */
  discourageTransit(nowMs: number): void {
    this.#advance(nowMs);
    this.#links.discourageTransit();
    this.#neighboursChanged = true;
  }

  /** Replaces the site data in the own link state. */
  updateSite(site: ControlMap, nowMs: number): void {
    this.#advance(nowMs);
    this.#setSite(site);
  }

  /** Credentials that were pending are decided, or some have ceased to hold: everything is judged again. */
  trustChanged(nowMs: number): void {
    this.#advance(nowMs);
    this.#signed?.trustChanged(this.#nowMs);
  }

  /** The owner has persisted a higher epoch, as `epochNeeded` asked: everything of this router is signed again under it. */
  newEpoch(epoch: number, nowMs: number): void {
    this.#advance(nowMs);
    if (!Number.isSafeInteger(epoch) || epoch < 1) throw new Error(`bug: epoch ${epoch}`);
    this.#signed?.newEpoch(epoch);
  }

  /** A statement that this router's owner holds for true, to be passed on to everybody. Once more does nothing. */
  addStatement(bytes: Uint8Array, nowMs: number): void {
    this.#advance(nowMs);
    this.#signed?.addStatement(bytes, this.#nowMs);
  }

  /**
   * Octets of whatever kind last came on a link at `atMs`: its peer lives, even if HELLO waits behind them. To be told before
   * `handleTimeout`.
   */
  lifeOf(link: number, atMs: number): void {
    this.#links.lifeOf(link, atMs);
  }

  /** To be called at `nextDeadlineMs`, or whenever. */
  handleTimeout(nowMs: number): void {
    this.#advance(nowMs);
    this.#advanceLinks();
    if (this.#nowMs >= this.#advertisementDueMs()) this.#announcer.advertiseSoon();
    if (this.#nowMs >= this.#nextQuickHelloMs) this.#sendQuickHellos();
    if (this.#nowMs < this.#nextTickMs) return;
    this.#nextTickMs = this.#nowMs + this.#timers.helloIntervalMs;
    for (const link of this.#links.numbers(false)) this.#sendHello(link);
    const { linkStateMaxAgeMs, unreachableHoldoffMs } = this.#timers;
    this.#exchange.sweep(new Set(this.#links.confirmed().values()), this.#nowMs, linkStateMaxAgeMs, unreachableHoldoffMs);
    this.#signed?.sweep(this.#timers.helloIntervalMs, linkStateMaxAgeMs, this.#nowMs);
    this.#transit.expire(this.#nowMs);
    // Without links and without memory there is nothing to do until the next link.
    const knowsNobody = this.#exchange.database.size === 0 && (this.#signed?.isAlone ?? true);
    if (this.#links.size === 0 && knowsNobody) this.#nextTickMs = Infinity;
  }

  /** When `handleTimeout` is next needed; Infinity for never. */
  nextDeadlineMs(): number {
    this.#settle();
    const addressesDueMs = this.#announcer.addressesDueMs(this.#nowMs);
    const signedDueMs = this.#signed?.dueMs(this.#nowMs) ?? Infinity;
    const ownDueMs = Math.min(this.#advertisementDueMs(), this.#own.dueMs(this.#nowMs), addressesDueMs, signedDueMs);
    const pathsDueMs = this.#exchange.topologyChanged ? this.#pathSchedule.dueMs : Infinity;
    this.#promisedMs = Math.min(this.#nextTickMs, this.#nextQuickHelloMs, this.#links.dueMs, pathsDueMs, ownDueMs, this.#exchange.dueMs);
    return this.#promisedMs;
  }

  /** The next message to send and the links to send it on. */
  nextTransmit(): ControlTransmit | undefined {
    this.#settle();
    return this.#outbox.next();
  }

  nextEvent(): RoutingEvent | undefined {
    this.#settle();
    return this.#diagnostics.next();
  }

  /** The routes as they stand: the same object until something changes. */
  get table(): RouteTable {
    this.#settle();
    return this.#tables.table;
  }

  /** A digest of the signed records held of routers in reach, equal at routers that hold the same; undefined without `trust`. */
  get recordDigest(): number | undefined {
    this.#settle();
    return this.#signed?.digest;
  }

  /** How often paths have been computed: not for changes of links that no path goes over (topology.ts). */
  get pathComputations(): number {
    return this.#topology.computations;
  }

  /** What HELLO has measured on a link; undefined while it has not. */
  probesOf(link: number): LinkProbes | undefined {
    return this.#links.probesOf(link);
  }

  /** What is known, for status pages: a snapshot. */
  status(): RoutingStatus {
    this.#settle();
    return statusOf({
      own: this.#own,
      exchange: this.#exchange,
      signed: this.#signed,
      table: this.#tables.table,
      neighbours: this.#neighbours,
      topologyChangedMs: this.#topologyChangedMs,
      pathComputations: this.#topology.computations,
      counters: this.#diagnostics.counters(),
      messagesDropped: this.#outbox.dropped,
    });
  }

  #advance(nowMs: number): void {
    this.#isSettled = false;
    this.#nowMs = Math.max(this.#nowMs, nowMs);
    const { quickHelloIntervalMs, helloIntervalMs } = this.#timers;
    // Inputs come late when this process has been stopped or busy: then what others said meanwhile is still to be read.
    if (this.#nowMs > this.#promisedMs + (quickHelloIntervalMs || helloIntervalMs)) this.#links.woken(this.#nowMs);
    this.#promisedMs = Infinity;
    if (this.#startedMs === undefined) {
      this.#startedMs = this.#nowMs;
      this.#announcer.started(this.#nowMs);
    }
  }

  #setSite(site: ControlMap): void {
    if (!this.#own.setSite(site)) this.#diagnostics.limitReached('siteDataValues', this.#id);
  }

  #loseLink(routerId: string, loss: NeighbourLoss): void {
    this.#losses.set(routerId, loss);
    this.#neighboursChanged = true;
  }

  #sendHello(link: number): void {
    const { quickHelloIntervalMs } = this.#timers;
    const body = helloBody(this.#id, this.#own.instance, this.#links.seen(link));
    if (quickHelloIntervalMs === 0 && this.#signed === undefined) {
      this.#outbox.hello(link, body);
      return;
    }
    const intervalMs = quickHelloIntervalMs || this.#timers.helloIntervalMs;
    const extension = helloExtension(intervalMs, this.#nowMs, this.#links.echoMs(link, this.#nowMs));
    this.#signed?.addToHello(extension);
    this.#outbox.hello(link, withHelloExtension(body, extension));
  }

  #sendQuickHellos(): void {
    this.#nextQuickHelloMs = this.#links.hasQuickLinks ? this.#nowMs + this.#timers.quickHelloIntervalMs : Infinity;
    for (const link of this.#links.numbers(true)) this.#sendHello(link);
  }

  #advanceLinks(): void {
    const changes = this.#links.advance(this.#nowMs);
    if (changes === undefined) return;
    for (const routerId of changes.lost) this.#loseLink(routerId, 'silent');
    for (const link of changes.unheard) this.#sendHello(link);
    for (const { link, routerId } of changes.dead) this.#diagnostics.emit({ type: 'linkDead', routerId, link });
    if (changes.gained) this.#neighboursChanged = true;
  }

  // Messages from others.

  /** A message for this router, alone or among others. */
  #read(link: number, to: ControlScope, message: ControlMessage): void {
    const { opcode } = message;
    const body: unknown = message.body;
    const id = body instanceof Map ? makerOf(message.body) : undefined;
    if (id === undefined) {
      this.#diagnostics.ignored('malformed body', link, opcode);
      return;
    }
    const version = versionOf(message.body);
    if (id === this.#id) this.#ownId.heard(link, opcode, message.body, this.#nowMs - (this.#startedMs ?? 0));
    else if (to.endpoint === 'caravan' && this.#signed?.signerOn(link) !== id) this.#diagnostics.ignored('unknown router', link, opcode);
    else if (version > (to.endpoint === 'qdrouter.ma' ? mobileAddressVersion : linkStateVersion)) this.#refuseVersion(id, opcode, version);
    else if (!this.#dispatch(link, to, message)) this.#diagnostics.ignored('malformed body', link, opcode);
  }

  /** False if the body is malformed. */
  #dispatch(link: number, to: ControlScope, message: ControlMessage): boolean {
    const { opcode, body } = message;
    // HELLO says something about one link, so it must not come from further away.
    switch (`${to.scope === 'neighbours' ? 'neighbours' : 'network'} ${to.endpoint} ${opcode}`) {
      case 'neighbours qdhello HELLO':
        return this.#receiveHello(link, body);
      case 'neighbours caravan REC':
      case 'neighbours caravan SUM':
        return this.#signed?.receive(link, message, this.#nowMs) ?? true;
      case 'network qdrouter RA':
        return this.#exchange.receiveAdvertisement(link, body, this.#nowMs);
      case 'network qdrouter LSR':
        return this.#exchange.receiveLinkStateRequest(link, body);
      case 'network qdrouter LSU':
        return this.#exchange.receiveLinkState(link, body, this.#nowMs);
      case 'network qdrouter.ma MAR':
        return this.#exchange.receiveMobileRequest(link, body);
      case 'network qdrouter.ma MAU':
        return this.#exchange.receiveMobileUpdate(link, body, this.#nowMs);
      default:
        this.#diagnostics.ignored('unknown opcode', link, opcode);
        return true;
    }
  }

  #receiveHello(link: number, body: ControlMap): boolean {
    const hello = parseHello(body);
    if (hello === undefined) return false;
    if (this.#signed?.refusesNeighbour(link, hello) === true) return true;
    const outcome = this.#links.receive(link, hello, this.#id, this.#nowMs);
    if (outcome.wrongPeer) {
      this.#diagnostics.ignored('wrong peer on link', link, 'HELLO');
      return true;
    }
    const signs = this.#signed?.receiveHello(link, hello, this.#nowMs) ?? false;
    // The other end must not have to wait for the next tick to learn that it is heard.
    if (outcome.newlyHeard) this.#sendHello(link);
    if (this.#nextQuickHelloMs === Infinity && this.#links.hasQuickLinks) {
      this.#nextQuickHelloMs = this.#nowMs + this.#timers.quickHelloIntervalMs;
    }
    if (outcome.lost) this.#loseLink(hello.id, 'silent');
    if (outcome.newlyConfirmed) this.#neighboursChanged = true;
    // A neighbour that signs says everything in its records.
    const record = signs ? undefined : this.#exchange.learn(hello.id, true);
    if (record !== undefined) this.#exchange.noteInstance(record, hello.instance, this.#nowMs);
    return true;
  }

  #refuseVersion(routerId: string, opcode: string, version: number): void {
    const record = this.#exchange.learn(routerId, true);
    if (record === undefined || record.versionReported) return;
    record.versionReported = true;
    this.#diagnostics.emit({ type: 'ignoredVersion', routerId, opcode: opcode.slice(0, 16), version });
  }

  // Consequences: done once for all inputs since the last output.

  #settle(): void {
    if (this.#isSettled) return;
    this.#recompute();
    this.#links.shortenHolds((routerId) => this.#tables.table.routers.has(routerId));
    if (this.#own.advance(this.#neighbours, this.#nowMs)) {
      this.#announcer.advertiseSoon();
      this.#signed?.setOwnLinkState(this.#neighbours, this.#own.site, this.#own.sequence);
    }
    if (this.#nowMs >= this.#exchange.dueMs) this.#exchange.send(this.#tables.table, this.#nowMs);
    this.#announcer.send(this.#tables.table, this.#nowMs);
    this.#signed?.settle(this.#nowMs);
    if (this.#signed?.rights.hasChanged === true) {
      this.#signed.rights.hasChanged = false;
      this.#tables.addressesChanged([]);
    }
    const { directory } = this.#exchange;
    if (directory.hasChanges) this.#tables.addressesChanged(directory.takeChanged());
    this.#isSettled = !this.#neighboursChanged && !this.#exchange.topologyChanged && this.#signed?.hasConsequences !== true;
  }

  /** Brings neighbours, paths and table up to date. */
  #recompute(): void {
    if (this.#neighboursChanged) this.#updateNeighbours();
    if (this.#signed?.topology.hasChanged === true) {
      this.#signed.topology.hasChanged = false;
      this.#exchange.topologyChanged = true;
    }
    if (this.#exchange.isPressing || this.#signed?.topology.isPressing === true) this.#pathSchedule.hasten(this.#topology.graph.size);
    this.#exchange.isPressing = false;
    if (!this.#exchange.topologyChanged) return;
    const { size } = this.#topology.graph;
    if (!this.#pathSchedule.take(this.#pathsUrgent, this.#announcer.speaksLegacy, size, this.#nowMs)) return;
    this.#exchange.topologyChanged = false;
    this.#pathsUrgent = false;
    this.#topologyChangedMs = this.#nowMs;
    const { graph } = this.#topology;
    graph.set(graph.self, linkStateOf(graph.index, costs(this.#neighbours)));
    const signed = this.#signed;
    // Kept until now: once it is pressing, nobody need find out again.
    if (signed !== undefined) signed.topology.isPressing = false;
    this.#exchange.database.writeTo(graph, (routerId) => signed?.isSigner(routerId) ?? false);
    signed?.topology.writeTo(graph);
    this.#topology.update();
    this.#tables.topologyChanged(this.#links, this.#neighbours);
    this.#exchange.noteReachability(this.#tables.table, this.#nowMs);
    this.#numbers.giveBack(this.#exchange.database, signed?.database.store, this.#nowMs);
    if (signed === undefined) return;
    signed.noteReachability((router) => this.#topology.reaches(router), this.#tables.table);
    this.#updateUnsigned(signed);
  }

  /** Routers that do not sign have come or gone, or those that stand for them. */
  #updateUnsigned(signed: SignedRouting): void {
    const ownUnsigned = [...this.#neighbours].filter(([, { link }]) => !signed.isSignerOn(link)).map(([routerId]) => routerId);
    const { database } = this.#exchange;
    const changed = signed.updateAnchors(ownUnsigned, (id) => database.get(id)?.peers);
    for (const routerId of changed) this.#exchange.grantsChanged(routerId, this.#nowMs);
    this.#announcer.setSpeaksLegacy(ownUnsigned.length > 0 || signed.topology.hasUnsigned);
  }

  #updateNeighbours(): void {
    this.#neighboursChanged = false;
    const before = this.#neighbours;
    this.#neighbours = this.#links.neighbours();
    const confirmed = this.#links.confirmed();
    for (const { link } of before.values()) if (!confirmed.has(link)) this.#pathsUrgent = true;
    tellNeighbourChanges(this.#diagnostics, before, this.#neighbours, this.#losses);
    this.#losses.clear();
    this.#own.setNeighbours(this.#neighbours);
    // Also where only the link to a neighbour changed: the table names links.
    if (!sameNeighbours(before, this.#neighbours)) this.#exchange.topologyChanged = true;
    else this.#tables.linksChanged(this.#links);
    // A new link's far end may be believed to be reached by others which have lost it, too: what goes there would circle.
    for (const [routerId, { link }] of this.#neighbours) {
      const route = this.#tables.table.routers.get(routerId);
      if (route === undefined || (route.nextHop !== routerId && before.get(routerId)?.link !== link)) this.#exchange.isPressing = true;
    }
  }

  #advertisementDueMs(): number {
    return this.#links.size === 0 ? Infinity : this.#announcer.advertisementDueMs(this.#topologyChangedMs);
  }
}
