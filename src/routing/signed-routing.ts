import type { ControlMap, ControlMessage, ControlValue } from './control-message.ts';
import type { RoutingDiagnostics } from './events.ts';
import { Flood, octetLists } from './flood.ts';
import type { Neighbour } from './hello.ts';
import { discouragesTransit, placeOf, type LinkStateGraph } from './link-state-graph.ts';
import type { Hello } from './message-body.ts';
import type { AddressDirectory } from './mobile-addresses.ts';
import { tellReachability } from './neighbour-changes.ts';
import { NeighbourConduct } from './neighbour-conduct.ts';
import type { OriginState } from './origin-state.ts';
import type { Outbox } from './outbox.ts';
import { OwnIdentity } from './own-identity.ts';
import { OwnRecords } from './own-records.ts';
import { hasSameLinks } from './record-content.ts';
import { isInRange, maxSummaryOctets, readSummary, summarise } from './record-summary.ts';
import type { RouteTable, Treatment } from './route-table.ts';
import type { ConsumeRights } from './route-table-builder.ts';
import type { RouterIndex } from './router-index.ts';
import { RouterSet } from './router-set.ts';
import { SignedAddresses } from './signed-addresses.ts';
import { SignedDatabase } from './signed-database.ts';
import { credentialSlot, firstAddressSlot, linkStateSlot, parseRecord, type SignedRecord } from './signed-record.ts';
import { Statements } from './statements.ts';
import type { Credential, RoutingTrust } from './trust.ts';
import { Anchors, UnsignedRouters } from './unsigned-routers.ts';

/** Records in one message: the shortest take about 120 octets. */
const maxRecordsPerMessage = 1_024;
/** Credentials are judged again at most this often: those of a large network are decided one by one. */
const judgeIntervalMs = 50;
const noPeers = new Int32Array(0);
/** Link number of records made here. */
const ownLink = -1;

export interface SignedRoutingOptions {
  readonly selfId: string;
  readonly instance: number;
  readonly trust: RoutingTrust;
  /** Routers that do not sign are not believed at all. */
  readonly requireSigned: boolean;
  readonly graph: LinkStateGraph;
  readonly directory: AddressDirectory;
  readonly outbox: Outbox;
  readonly diagnostics: RoutingDiagnostics;
}

/**
 * Link state, addresses and credentials as records that their origins have signed (docs/signed-records.md): own ones are made and spread, those
 * of others verified, stored and passed on.
 */
export class SignedRouting implements ConsumeRights {
  readonly requireSigned: boolean;
  readonly unsigned: UnsignedRouters = new UnsignedRouters();
  readonly statements: Statements;
  readonly database: SignedDatabase;
  readonly #selfId: string;
  readonly #index: RouterIndex;
  readonly #graph: LinkStateGraph;
  readonly #diagnostics: RoutingDiagnostics;
  readonly #directory: AddressDirectory;
  readonly #own: OwnRecords;
  readonly #flood: Flood;
  readonly #conduct: NeighbourConduct;
  readonly #identity: OwnIdentity;
  readonly #addresses: SignedAddresses;
  /** Origins whose link state the graph has yet to take. */
  readonly #changed = new RouterSet();
  /** Origins that name neighbours which have no number yet. */
  readonly #incomplete = new Set<number>();
  /** Origins that name neighbours which do not sign. */
  readonly #nearUnsigned = new Set<number>();
  /** Credentials of routers that have sent messages through here. */
  readonly #consumers = new Map<string, Credential>();
  #sweeps = 0;
  /** When everything was last judged, or is to be. */
  #judgedMs = -Infinity;
  #judgePending = false;
  /** Statements have come: the credentials held are judged once for all of them, before anything else is told. */
  #judgeDue = false;
  #nowMs = 0;
  /** Set when link states of others have changed; cleared by the owner. */
  topologyChanged = false;
  /** Set with it when a link is lost, leads to a router without a path, or its maker wants no transit any more; cleared by the owner. */
  isPressing = false;
  /** Set when credentials have changed that answers about rights may rest on; cleared by the owner. */
  rightsChanged = false;

  constructor(options: SignedRoutingOptions) {
    const { selfId, instance, trust, graph, directory, outbox, diagnostics } = options;
    this.#selfId = selfId;
    this.requireSigned = options.requireSigned;
    this.#graph = graph;
    this.#index = graph.index;
    this.#diagnostics = diagnostics;
    this.#directory = directory;
    this.statements = new Statements(trust);
    this.database = new SignedDatabase(graph.index, trust, diagnostics, (record, before, after, link) => {
      this.#accepted(record, before, after, link);
    });
    this.#own = new OwnRecords(selfId, instance, trust);
    this.#flood = new Flood(selfId, outbox);
    this.#conduct = new NeighbourConduct(diagnostics, (link) => this.#flood.signerOn(link));
    this.#identity = new OwnIdentity(selfId, trust, diagnostics);
    this.#addresses = new SignedAddresses(directory, diagnostics);
  }

  /** Whether only this router and nobody else is known. */
  get isAlone(): boolean {
    return this.database.store.size <= 1;
  }

  /** Whether this router has given way to another process with its identity. */
  get isFenced(): boolean {
    return this.#identity.isFenced;
  }

  /** Whether the owner has something to draw from what this has noted. */
  get hasConsequences(): boolean {
    return this.topologyChanged || this.rightsChanged;
  }

  dueMs(nowMs: number): number {
    const judgeDueMs = this.#judgePending ? this.#judgedMs : Infinity;
    return Math.min(this.#flood.dueMs, judgeDueMs, this.isFenced ? Infinity : this.#own.dueMs(nowMs));
  }

  isSigner(routerId: string): boolean {
    return this.database.isSigner(routerId);
  }

  /** Whether the router at the end of a link signs. */
  isSignerOn(link: number): boolean {
    return this.#flood.signerOn(link) !== undefined;
  }

  /** Whether a router that does not sign is known next to one that does and can be reached. */
  get hasUnsigned(): boolean {
    for (const origin of this.#nearUnsigned) if (this.database.store.isReachable(origin)) return true;
    return false;
  }

  // ---- what this router says ----

  /** Goes into HELLO: says that this router signs, and what it holds. */
  addToHello(extension: Map<string, ControlValue>): void {
    extension.set('epoch', this.#own.epoch);
    extension.set('digest', this.digest);
  }

  /** Of the statements, and of the records of routers in reach: equal at routers that hold the same. */
  get digest(): number {
    return (this.database.store.digest + this.statements.digest) >>> 0;
  }

  setOwnLinkState(neighbours: ReadonlyMap<string, Neighbour>, site: ControlMap | undefined, linkStateSequence: number): void {
    const peers = [...neighbours].map(([routerId, { link, cost }]) => {
      return { routerId, cost: Math.max(1, cost), isUnsigned: !this.isSignerOn(link) };
    });
    this.#own.setLinkState(peers, site, linkStateSequence);
  }

  /** Addresses of this router have changed as other routers are told under `mobileSequence`. */
  changeOwnAddresses(add: readonly ControlValue[], del: readonly string[], mobileSequence: number): void {
    const credential = this.#identity.credential();
    for (const key of del) this.#own.deleteAddress(key, mobileSequence);
    for (const description of add) {
      const [key, treatment] = description as readonly [string, Treatment, number];
      if (credential !== undefined && !credential.advertise.allows(key.slice(1))) {
        const { routerId, siteName } = credential;
        this.#diagnostics.emit({ type: 'grantViolation', routerId, siteName, address: key.slice(1), right: 'advertise' });
      } else if (!this.#own.setAddress(key, treatment, mobileSequence)) {
        this.#diagnostics.limitReached('addressesPerRouter', this.#selfId);
      }
    }
  }

  /** Signs what is due and sends what is to be sent. */
  settle(nowMs: number): void {
    this.#nowMs = nowMs;
    if (this.#judgePending && nowMs >= this.#judgedMs) this.#judgeAll();
    if (this.#judgeDue) this.#judgeAgain();
    if (!this.isFenced && nowMs >= this.#own.dueMs(nowMs)) {
      for (const record of this.#own.issue(nowMs)) {
        this.database.putOwn(record);
        this.#flood.spread(record, ownLink, nowMs);
      }
    }
    this.#flood.send(nowMs);
  }

  newEpoch(epoch: number): void {
    if (epoch <= this.#own.epoch) return;
    this.#own.setEpoch(epoch);
    this.#identity.epochTaken();
  }

  /** Own records for an LSU, or for a MAU with the addresses changed since `sinceSequence`. */
  ownRecords(kind: 'LSU' | 'MAU', sinceSequence: number): SignedRecord[] {
    const state = this.database.store.of(this.#selfId);
    const records: SignedRecord[] = [];
    for (const record of state?.records() ?? []) {
      const isAddresses = record.slot >= firstAddressSlot;
      if (isAddresses !== (kind === 'MAU')) continue;
      if (!isAddresses || (record.addresses?.mobileSequence ?? 0) > sinceSequence) records.push(record);
    }
    return records;
  }

  /** Whether a link state that waits for routers without records names this one. */
  names(routerId: string): boolean {
    for (const origin of this.#naming()) {
      const peers = this.database.store.at(origin)?.linkState?.linkState?.peers ?? [];
      if (peers.some((peer) => peer.routerId === routerId)) return true;
    }
    return false;
  }

  /** Origins that name routers which do not sign, or which only messages of another kind have told of. */
  #naming(): Set<number> {
    return this.#nearUnsigned.union(this.#incomplete);
  }

  /** Boot time of a router that signs, as its link state says it; undefined where nothing is known. */
  instanceOf(routerId: string): number | undefined {
    return this.database.store.of(routerId)?.linkState?.linkState?.instance;
  }

  /** Sequences under which a router that signs has told routers that do not the same; 0 where nothing is known. */
  linkStateSequenceOf(routerId: string): number {
    return this.database.store.of(routerId)?.linkState?.linkState?.linkStateSequence ?? 0;
  }

  mobileSequenceOf(routerId: string): number {
    return this.database.store.of(routerId)?.mobileSequence() ?? 0;
  }

  // ---- what neighbours say ----

  /** Where signatures are required, a neighbour that does not sign is never confirmed; the owner is told to close its link. */
  refusesNeighbour(link: number, hello: Hello): boolean {
    if (!this.requireSigned || hello.extension?.fields.has('digest') === true) return false;
    this.#conduct.unsigned(link, hello.id);
    return true;
  }

  /** HELLO of a neighbour; false if it does not sign. */
  receiveHello(link: number, hello: Hello, nowMs: number): boolean {
    this.#nowMs = nowMs;
    const digest = hello.extension?.fields.get('digest');
    // Who signs does not cease to: what is counted for a neighbour lasts as long as its link.
    if (typeof digest !== 'number') return this.isSignerOn(link);
    const confirmed = hello.seen.includes(this.#selfId);
    if (this.#flood.heard(link, hello.id, confirmed, digest, this.digest, nowMs)) this.#sendSummary(link);
    return true;
  }

  #sendSummary(link: number): void {
    const held = [...this.database.store.current()].sort((one, other) => (one.origin < other.origin ? -1 : 1));
    this.#flood.summarise(link, summarise(held), this.statements.names());
  }

  linkDown(link: number): void {
    this.#flood.linkDown(link);
    this.#conduct.linkDown(link);
  }

  /** REC or SUM; false if it is malformed. */
  receive(link: number, message: ControlMessage, nowMs: number): boolean {
    this.#nowMs = nowMs;
    if (this.#flood.signerOn(link) === undefined) {
      this.#diagnostics.ignored('unknown router', link, message.opcode);
      return true;
    }
    if (message.opcode === 'SUM') return this.#receiveSummary(link, message.body);
    const statements = octetLists(message.body, 'statements', maxRecordsPerMessage);
    if (statements === undefined) return false;
    for (const statement of statements) this.#receiveStatement(statement, link);
    if (message.records !== undefined) {
      for (const record of message.records) this.#judge(record, link);
      return true;
    }
    const records = octetLists(message.body, 'records', maxRecordsPerMessage);
    if (records === undefined) return false;
    for (const bytes of records) {
      const record = parseRecord(bytes);
      if (record === undefined) this.#conduct.malformed(link);
      else this.#judge(record, link);
    }
    return true;
  }

  #receiveSummary(link: number, body: ControlMap): boolean {
    const after = body.get('after');
    const upTo = body.get('upTo');
    const entries = body.get('entries');
    if (typeof after !== 'string' || typeof upTo !== 'string' || !(entries instanceof Uint8Array)) return false;
    if (entries.length > maxSummaryOctets) return false;
    if (!this.#flood.takesSummary(link, this.#nowMs)) return true;
    const listed = readSummary(entries);
    if (listed === undefined) return false;
    if (body.has('statements')) {
      this.#flood.answerStatements(link, this.statements.missingFrom(body.get('statements')), this.#nowMs);
    }
    const { store } = this.database;
    for (const state of store.current()) {
      if (isInRange(state.origin, { after, upTo })) this.#flood.answer(link, state.records(), listed.get(state.origin), this.#nowMs);
    }
    // Of the routers that the other end believes to reach, this one may hold newer records without a path of its own to them.
    for (const [routerId, slots] of listed) {
      const state = store.of(routerId);
      if (state !== undefined && !store.isReachable(this.#index.find(routerId))) {
        this.#flood.answer(link, state.records(), slots, this.#nowMs);
      }
    }
    return true;
  }

  /** Records that came in the body of an LSU or MAU of their origin, past routers that do not sign. */
  receiveCarried(records: readonly SignedRecord[], origin: string, link: number, nowMs: number): void {
    this.#nowMs = nowMs;
    for (const record of records) {
      // Nobody answers for what comes past routers that do not sign: after one forgery the rest is not worth the work.
      if (record.origin === origin && this.#judge(record, link)) return;
    }
  }

  /** True if its signature does not hold. */
  #judge(record: SignedRecord, link: number): boolean {
    if (record.origin === this.#selfId) {
      const heard = this.#identity.hear(record, this.database.store.of(this.#selfId), this.#own.epoch, this.#nowMs);
      if (heard !== 'harmless') this.#conduct.refused(heard, record, link);
      return heard !== 'harmless';
    }
    const verdict = this.database.receive(record, link);
    if (verdict === 'accepted' || verdict === 'known') return false;
    this.#conduct.refused(verdict, record, link);
    return verdict === 'forged' || verdict === 'invalid signature';
  }

  #receiveStatement(bytes: Uint8Array, link: number): void {
    const outcome = this.statements.receive(bytes, link);
    if (outcome === 'refused') this.#diagnostics.refusedRecord('statement refused');
    if (outcome !== 'new') return;
    this.#diagnostics.emit({ type: 'statementAccepted', bytes: bytes.slice() });
    this.#flood.spreadStatement(bytes, link, this.#nowMs);
    this.#judgeDue = true;
  }

  /** A statement that the owner holds for true. */
  addStatement(bytes: Uint8Array, nowMs: number): void {
    this.#nowMs = nowMs;
    if (this.statements.add(bytes)) this.#flood.spreadStatement(bytes, ownLink, nowMs);
    this.#judgeDue = true;
  }

  #accepted(record: SignedRecord, before: OriginState | undefined, after: OriginState, fromLink: number): void {
    this.#flood.spread(record, fromLink, this.#nowMs);
    const { slot } = record;
    if (slot === linkStateSlot) this.#linkStateChanged(record, before, after);
    if (slot === credentialSlot) this.#credentialChanged(after);
    if (after.size > firstAddressSlot || (before?.size ?? 0) > firstAddressSlot) {
      this.#addresses.change(before, after, this.database.credentialOf(after.origin));
    }
  }

  #linkStateChanged(record: SignedRecord, before: OriginState | undefined, after: OriginState): void {
    const origin = record.numberIn(this.#index);
    const content = after.linkState?.linkState;
    const lastInstance = before?.linkState?.linkState?.instance;
    if (lastInstance !== undefined && content !== undefined && content.instance !== lastInstance) {
      this.#diagnostics.emit({ type: 'routerRestarted', routerId: after.origin, instance: content.instance });
    }
    if (content?.hasUnsigned === true) this.#nearUnsigned.add(origin);
    else this.#nearUnsigned.delete(origin);
    // Most often only slots have been added, or everything was signed again.
    if (before?.linkState !== undefined && hasSameLinks(before.linkState.linkState, content, this.#index)) return;
    this.#changed.add(origin);
    this.topologyChanged = true;
    if (this.isPressing && this.#incomplete.size === 0) return;
    const state = content?.graphState(this.#index);
    const peers = state?.peers ?? noPeers;
    // Others may have named this router before it had a number. Its first link state need not name them yet: each one is looked at.
    if (this.#incomplete.size > 0) for (const peer of peers) if (this.#incomplete.has(peer)) this.#changed.add(peer);
    this.isPressing ||= discouragesTransit(before?.linkState?.linkState?.graphState(this.#index), state) || this.#losesEdge(origin, peers);
    for (let place = 0; place < peers.length && !this.isPressing; place++) this.isPressing = this.#leadsOn(origin, peers[place] ?? origin);
  }

  /** Whether a link of `origin` that paths go over, or may, is gone: `peers` are those that it has now. */
  #losesEdge(origin: number, peers: Int32Array): boolean {
    for (const peer of this.#graph.linkState(origin)?.peers ?? noPeers) {
      if (placeOf(peers, peer) < 0 && this.#graph.edgeCost(origin, peer) < Infinity) return true;
    }
    return false;
  }

  /** Whether the edge from `origin`, as it just told, leads from a router with a path to one without, and `peer` tells of it too. */
  #leadsOn(origin: number, peer: number): boolean {
    const { store } = this.database;
    if (peer === this.#graph.self) return !store.isReachable(origin);
    if (store.isReachable(origin) === store.isReachable(peer)) return false;
    const other = store.at(peer)?.linkState?.linkState?.graphState(this.#index);
    return other !== undefined && placeOf(other.peers, origin) >= 0;
  }

  #credentialChanged(state: OriginState): void {
    this.rightsChanged = true;
    this.#consumers.delete(state.origin);
    // What was learned of the router before it was known to sign is void.
    this.#addresses.install(state, state.size > firstAddressSlot ? this.database.credentialOf(state.origin) : undefined);
  }

  /** Brings the link states of signing routers into the graph. */
  writeTo(graph: LinkStateGraph): void {
    // Where not all sign, routers have got numbers, or lost them, since those who name them were last looked at.
    if (this.#nearUnsigned.size > 0) for (const origin of this.#naming()) this.#changed.add(origin);
    for (const origin of this.#changed.take()) {
      if (origin === graph.self) continue;
      const content = this.database.store.at(origin)?.linkState?.linkState;
      graph.set(origin, content?.graphState(graph.index));
      if (content?.isComplete === false) this.#incomplete.add(origin);
      else this.#incomplete.delete(origin);
    }
  }

  /** Takes over which routers can be reached, and tells of changes. */
  noteReachability(reaches: (origin: number) => boolean, table: RouteTable): void {
    const { store } = this.database;
    const changed: number[] = [];
    for (let origin = 0; origin < store.end; origin++) {
      if (store.at(origin) === undefined || origin === this.#graph.self || store.isReachable(origin) === reaches(origin)) continue;
      store.setReachable(origin, !store.isReachable(origin));
      changed.push(origin);
    }
    tellReachability(
      this.#diagnostics,
      changed.map((origin) => this.#index.idOf(origin)),
      table,
    );
  }

  /** Works out again which signing routers stand for those that do not sign; the latter's ids whose grants have changed. */
  updateAnchors(ownUnsigned: readonly string[], peersOf: (routerId: string) => ReadonlyMap<string, number> | undefined): string[] {
    const anchors = new Anchors();
    const own = this.#identity.credential();
    if (own !== undefined) for (const routerId of ownUnsigned) anchors.add(routerId, own);
    for (const origin of this.#nearUnsigned) {
      const state = this.database.store.at(origin);
      const credential = state === undefined ? undefined : this.database.credentialOf(state.origin);
      if (state === undefined || credential === undefined || !this.database.store.isReachable(origin)) continue;
      for (const { routerId, isUnsigned } of state.linkState?.linkState?.peers ?? []) {
        // Both ends must say so: nobody may lend, and take away again, grants that a router has not asked for.
        if (isUnsigned && !this.isSigner(routerId) && peersOf(routerId)?.has(state.origin) === true) anchors.add(routerId, credential);
      }
    }
    return this.unsigned.update(anchors, (routerId) => (this.isSigner(routerId) ? undefined : peersOf(routerId)));
  }

  /** Asked for each message: the credential of a router is looked up once. */
  mayConsume(routerId: string, address: string): boolean {
    if (routerId === this.#selfId) return true;
    let credential = this.#consumers.get(routerId);
    if (credential === undefined) {
      credential = this.database.credentialOf(routerId);
      if (credential === undefined) return this.unsigned.mayConsume(routerId, address);
      this.#consumers.set(routerId, credential);
    }
    return credential.consume.allows(address) || this.#addresses.refuseConsumer(credential, address);
  }

  /** Whether it is known what a router may do: not so when it, or this router, has just come into the network. */
  knowsRightsOf(routerId: string): boolean {
    return routerId === this.#selfId || this.database.isJudged(routerId) || this.unsigned.isStoodFor(routerId);
  }

  /** To be called every second. Origins out of reach for `maxAgeMs` are forgotten. */
  sweep(intervalMs: number, maxAgeMs: number, nowMs: number): void {
    this.#nowMs = nowMs;
    this.#sweeps++;
    if (this.#sweeps % 60 === 0) this.#conduct.minutePassed();
    this.database.refill((record, link) => this.#judge(record, link));
    for (const origin of this.database.store.sweep(Math.min(255, Math.ceil(maxAgeMs / intervalMs)))) {
      this.#drop(origin);
      this.#diagnostics.emit({ type: 'routerForgotten', routerId: this.#index.idOf(origin) });
    }
  }

  trustChanged(nowMs: number): void {
    this.#nowMs = nowMs;
    this.#own.credentialChanged();
    if (this.#judgePending) return;
    this.#judgePending = true;
    this.#judgedMs = Math.max(nowMs, this.#judgedMs + judgeIntervalMs);
    if (this.#judgedMs <= nowMs) this.#judgeAll();
  }

  #judgeAll(): void {
    this.#judgePending = false;
    for (const { bytes, fromLink } of this.statements.takePending()) this.#receiveStatement(bytes, fromLink);
    this.#judgeAgain();
    this.database.retryPending((record, link) => this.#judge(record, link));
  }

  /** Drops what is known of routers whose credential does not hold any more; those that are neighbours are to be cut off. */
  #judgeAgain(): void {
    this.#judgeDue = false;
    this.rightsChanged = true;
    this.#consumers.clear();
    for (const origin of this.database.refused()) {
      if (origin === this.#graph.self) continue;
      const routerId = this.#index.idOf(origin);
      this.database.castOut(origin);
      this.#drop(origin);
      this.#diagnostics.emit({ type: 'credentialRefused', routerId });
      for (const { link, routerId: neighbour } of this.#flood.signers()) {
        if (neighbour === routerId) this.#conduct.violation(link, 'credential refused');
      }
    }
  }

  #drop(origin: number): void {
    this.database.store.remove(origin);
    this.#directory.flush(this.#index.idOf(origin));
    this.#consumers.delete(this.#index.idOf(origin));
    this.#nearUnsigned.delete(origin);
    this.#changed.add(origin);
    this.topologyChanged = true;
  }
}
