import { isOwnTelemetry } from '../base/telemetry-address.ts';
import type { ControlMap, ControlMessage, ControlValue } from './control-message.ts';
import type { RoutingDiagnostics } from './events.ts';
import { FloodSummaries } from './flood-summaries.ts';
import { Flood, octetLists } from './flood.ts';
import type { Neighbour } from './hello.ts';
import type { LinkStateGraph } from './link-state-graph.ts';
import type { Hello } from './message-body.ts';
import type { AddressDirectory } from './mobile-addresses.ts';
import { tellReachability } from './neighbour-changes.ts';
import { NeighbourConduct } from './neighbour-conduct.ts';
import type { OriginState } from './origin-state.ts';
import type { Outbox } from './outbox.ts';
import { OwnIdentity } from './own-identity.ts';
import { OwnRecords } from './own-records.ts';
import type { RouteTable, Treatment } from './route-table.ts';
import type { RouterIndex } from './router-index.ts';
import { SignedDatabase, type RecordHandler } from './signed-database.ts';
import { credentialSlot, firstAddressSlot, linkStateSlot, parseRecord, recordLayout, type SignedRecord } from './signed-record.ts';
import { CredentialReview } from './signed-review.ts';
import { SignedRights } from './signed-rights.ts';
import { SignedTopology } from './signed-topology.ts';
import { Statements } from './statements.ts';
import type { RoutingTrust } from './trust.ts';
import { UnsignedRouters } from './unsigned-routers.ts';

/** Records in one message: the shortest take about 120 octets. */
const maxRecordsPerMessage = 1_024;
/** Link number of records made here. */
const ownLink = -1;
/** Link number of records that came past routers that do not sign: nobody answers for them. */
const carriedLink = -2;
/** Ticks in which an origin must have been renewed are counted in minutes. */
const minuteMs = 60_000;

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
export class SignedRouting {
  readonly requireSigned: boolean;
  readonly unsigned: UnsignedRouters = new UnsignedRouters();
  readonly statements: Statements;
  readonly database: SignedDatabase;
  readonly #selfId: string;
  readonly #index: RouterIndex;
  readonly #graph: LinkStateGraph;
  readonly #diagnostics: RoutingDiagnostics;
  readonly #own: OwnRecords;
  readonly #flood: Flood;
  readonly #summaries: FloodSummaries;
  readonly #conduct: NeighbourConduct;
  readonly #identity: OwnIdentity;
  readonly #review: CredentialReview;
  /** The link states held, on their way into the paths. */
  readonly topology: SignedTopology;
  readonly rights: SignedRights;
  /** Of the minute that is counted. */
  #sweptMs = 0;
  #nowMs = 0;

  constructor(options: SignedRoutingOptions) {
    const { selfId, instance, trust, graph, directory, outbox, diagnostics } = options;
    this.#selfId = selfId;
    this.requireSigned = options.requireSigned;
    this.#graph = graph;
    this.#index = graph.index;
    this.#diagnostics = diagnostics;
    this.statements = new Statements(trust);
    const accepted: RecordHandler = (record, before, after, link) => this.#accepted(record, before, after, link);
    this.database = new SignedDatabase(graph.index, trust, diagnostics, accepted, (record, link) => this.#judge(record, link));
    this.#review = new CredentialReview(this.database);
    this.rights = new SignedRights(selfId, this.database, this.unsigned, directory, diagnostics);
    this.topology = new SignedTopology(graph, this.database.store);
    this.#own = new OwnRecords(selfId, instance, trust);
    this.#flood = new Flood(selfId, outbox);
    this.#summaries = new FloodSummaries(this.#flood, this.database.store, this.statements, graph.index);
    this.#conduct = new NeighbourConduct(diagnostics, (link) => this.#flood.signerOn(link));
    this.#identity = new OwnIdentity(selfId, trust, diagnostics);
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
    return this.topology.hasChanged || this.rights.hasChanged;
  }

  dueMs(nowMs: number): number {
    return Math.min(this.#flood.dueMs, this.#review.dueMs, this.isFenced ? Infinity : this.#own.dueMs(nowMs));
  }

  isSigner(routerId: string): boolean {
    return this.database.isSigner(routerId);
  }

  /** The router at the end of a link, if it signs. */
  signerOn(link: number): string | undefined {
    return this.#flood.signerOn(link);
  }

  isSignerOn(link: number): boolean {
    return this.#flood.signerOn(link) !== undefined;
  }

  // ---- what this router says ----

  /** Goes into HELLO: says that this router signs, and what it holds. */
  addToHello(extension: Map<string, ControlValue>): void {
    extension.set('records', recordLayout);
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
      const address = key.slice(1);
      if (credential !== undefined && !credential.advertise.allows(address) && !isOwnTelemetry(address)) {
        const { routerId, siteName } = credential;
        this.#diagnostics.emit({ type: 'grantViolation', routerId, siteName, address, right: 'advertise' });
      } else if (!this.#own.setAddress(key, treatment, mobileSequence)) {
        this.#diagnostics.limitReached('addressesPerRouter', this.#selfId);
      }
    }
  }

  /** Signs what is due and sends what is to be sent. */
  settle(nowMs: number): void {
    this.#nowMs = nowMs;
    if (nowMs >= this.#review.dueMs) this.#reviewCredentials(nowMs);
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
    if (!this.requireSigned || signsRecords(hello)) return false;
    this.#conduct.unsigned(link, hello.id);
    return true;
  }

  /** HELLO of a neighbour; false if it does not sign. */
  receiveHello(link: number, hello: Hello, nowMs: number): boolean {
    this.#nowMs = nowMs;
    const digest = signsRecords(hello) ? hello.extension?.fields.get('digest') : undefined;
    // Who signs does not cease to: what is counted for a neighbour lasts as long as its link.
    if (typeof digest !== 'number') return this.isSignerOn(link);
    const confirmed = hello.seen.includes(this.#selfId);
    if (this.#flood.heard(link, hello.id, confirmed, digest, this.digest, nowMs)) this.#summaries.send(link);
    return true;
  }

  linkDown(link: number): void {
    this.#flood.linkDown(link);
    this.#conduct.linkDown(link);
  }

  /** REC or SUM of the signer at the link; false if it is malformed. */
  receive(link: number, message: ControlMessage, nowMs: number): boolean {
    this.#nowMs = nowMs;
    if (message.opcode === 'SUM') return this.#summaries.receive(link, message.body, nowMs);
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

  /** Records that came in the body of an LSU or MAU of their origin, past routers that do not sign. */
  receiveCarried(records: readonly SignedRecord[], origin: string, nowMs: number): void {
    this.#nowMs = nowMs;
    for (const record of records) {
      // Nobody answers for what comes past routers that do not sign, also not a neighbour that does: after one forgery the rest is not worth the work.
      if (record.origin === origin && this.#judge(record, carriedLink)) return;
    }
  }

  /** True if its signature does not hold. */
  #judge(record: SignedRecord, link: number): boolean {
    const origin = record.numberIn(this.#index);
    if (origin === this.#graph.self) {
      const heard = this.#identity.hear(record, this.database.store.of(this.#selfId), this.#own.epoch, this.#nowMs);
      if (heard !== 'harmless') this.#conduct.refused(heard, record, link);
      return heard !== 'harmless';
    }
    const verdict = this.database.receive(record, origin, link);
    if (verdict === 'accepted' || verdict === 'known') return false;
    this.#conduct.refused(verdict, record, link);
    return verdict === 'forged';
  }

  #receiveStatement(bytes: Uint8Array, link: number): void {
    const outcome = this.statements.receive(bytes, link);
    if (outcome === 'refused') this.#diagnostics.refusedRecord('statement refused');
    if (outcome !== 'new') return;
    this.#diagnostics.emit({ type: 'statementAccepted', bytes: bytes.slice() });
    this.#flood.spreadStatement(bytes, link, this.#nowMs);
    this.#review.ask(true, this.#nowMs);
  }

  /** A statement that the owner holds for true. */
  addStatement(bytes: Uint8Array, nowMs: number): void {
    this.#nowMs = nowMs;
    if (this.statements.add(bytes)) this.#flood.spreadStatement(bytes, ownLink, nowMs);
    this.#review.ask(true, nowMs);
  }

  #accepted(record: SignedRecord, before: OriginState | undefined, after: OriginState, fromLink: number): void {
    this.#flood.spread(record, fromLink, this.#nowMs);
    const { slot } = record;
    // A credential for another key ends what was signed with the one before.
    if (slot === linkStateSlot || before?.linkState !== after.linkState) {
      this.#tellRestart(before, after);
      this.topology.change(record, before, after);
    }
    if (slot === credentialSlot) this.rights.credentialChanged(after);
    this.rights.recordsChanged(before, after);
  }

  #tellRestart(before: OriginState | undefined, { origin: routerId, linkState }: OriginState): void {
    const lastInstance = before?.linkState?.linkState?.instance;
    const instance = linkState?.linkState?.instance;
    if (lastInstance === undefined || instance === undefined || instance === lastInstance) return;
    this.#diagnostics.emit({ type: 'routerRestarted', routerId, instance });
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
    const isSigner = (routerId: string): boolean => this.isSigner(routerId);
    const anchors = this.topology.anchors((routerId) => this.database.credentialOf(routerId), isSigner, peersOf);
    const own = this.#identity.credential();
    if (own !== undefined) for (const routerId of ownUnsigned) anchors.add(routerId, own);
    return this.unsigned.update(anchors, (routerId) => (this.isSigner(routerId) ? undefined : peersOf(routerId)));
  }

  /** To be called every second. Origins out of reach for `maxAgeMs`, and those that have ceased to sign, are forgotten. */
  sweep(intervalMs: number, maxAgeMs: number, nowMs: number): void {
    this.#nowMs = nowMs;
    this.database.refill();
    for (const origin of this.database.outOfReach(Math.ceil(maxAgeMs / intervalMs))) this.#forget(origin);
    // Counted in sweeps: while this process stands still, nobody can renew anything here.
    this.#sweptMs += intervalMs;
    if (this.#sweptMs < minuteMs) return;
    this.#sweptMs -= minuteMs;
    for (const origin of this.database.minutePassed()) if (origin !== this.#graph.self) this.#forget(origin);
  }

  #forget(origin: number): void {
    this.database.forget(origin);
    this.#drop(origin);
    this.#diagnostics.emit({ type: 'routerForgotten', routerId: this.#index.idOf(origin) });
  }

  trustChanged(nowMs: number): void {
    this.#nowMs = nowMs;
    this.#own.credentialChanged();
    this.#review.ask(false, nowMs);
  }

  /** Drops what is known of routers whose credential does not hold any more; those that are neighbours are to be cut off. */
  #reviewCredentials(nowMs: number): void {
    const begins = this.#review.begins(nowMs);
    if (begins) {
      for (const { bytes, fromLink } of this.statements.takePending()) this.#receiveStatement(bytes, fromLink);
      this.rights.reviewed();
    }
    // Neighbours first: they are cut off before they are told anything more.
    if (begins) for (const { routerId } of this.#flood.signers()) this.#castOutIfRefused(this.#index.find(routerId));
    for (const origin of this.#review.turn(nowMs)) this.#castOutIfRefused(origin);
  }

  #castOutIfRefused(origin: number): void {
    if (origin === this.#graph.self || !this.database.isRefused(origin)) return;
    const routerId = this.#index.idOf(origin);
    this.database.castOut(origin);
    this.#drop(origin);
    this.#diagnostics.emit({ type: 'credentialRefused', routerId });
    for (const { link, routerId: neighbour } of this.#flood.signers()) {
      if (neighbour === routerId) this.#conduct.violation(link, 'credential refused');
    }
  }

  #drop(origin: number): void {
    this.database.store.remove(origin);
    this.rights.drop(this.#index.idOf(origin));
    this.topology.drop(origin);
  }
}

/** Whether a neighbour signs, in the layout that is understood here. */
function signsRecords({ extension }: Hello): boolean {
  return extension?.fields.get('records') === recordLayout;
}
