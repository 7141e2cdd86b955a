import type { ControlMap } from './control-message.ts';
import type { RoutingDiagnostics } from './events.ts';
import { differentialGraceMs, echoOfPreviousLifeMs, limits, repeatedAnswerMs } from './limits.ts';
import { LinkStateDatabase, type AnswerGiven, type RouterRecord } from './link-state-database.ts';
import {
  absoluteUpdateBody,
  linkStateRequestBody,
  makerOf,
  mobileAddressRequestBody,
  parseLinkStateUpdate,
  parseMobileAddressRequest,
  parseMobileAddressUpdate,
  parseRouterAdvertisement,
  type MobileAddressUpdate,
  type RouterAdvertisement,
} from './message-body.ts';
import { LocalAddresses, type AddressDirectory } from './mobile-addresses.ts';
import type { Outbox } from './outbox.ts';
import type { OwnLinkState } from './own-link-state.ts';
import { recordsInBody, withRecords } from './record-text.ts';
import type { RouteTable } from './route-table.ts';
import type { SignedRouting } from './signed-routing.ts';

/**
 * What routers ask and tell each other beyond the first hop: advertisements (RA), link states (LSR, LSU) and addresses (MAR, MAU).
 *
 * Receiving only stores and notes what is to be asked or answered; `send` does that for all routers that there is a path to.
 * Requests are repeated, and answers wait for a path, because in a network that forms the paths of the two ends do not appear
 * at the same moment.
 */
export class Exchange {
  readonly database: LinkStateDatabase = new LinkStateDatabase();
  readonly directory: AddressDirectory;
  readonly local: LocalAddresses;
  /** Set when the graph of link states has changed; cleared by the owner once the paths are computed. */
  topologyChanged = false;
  /** Set with it when a link state leads to a router without a path, or its maker wants no transit any more; cleared by the owner. */
  isPressing = false;
  readonly #own: OwnLinkState;
  readonly #signed: SignedRouting | undefined;
  readonly #outbox: Outbox;
  readonly #diagnostics: RoutingDiagnostics;
  #dueMs = Infinity;
  #dirty = false;

  /** `signed` where this router signs: then nothing unsigned is believed of a router that signs too. */
  constructor(
    own: OwnLinkState,
    outbox: Outbox,
    diagnostics: RoutingDiagnostics,
    sequenceStart: number,
    directory: AddressDirectory,
    signed: SignedRouting | undefined,
  ) {
    this.directory = directory;
    this.#signed = signed;
    this.local = new LocalAddresses(sequenceStart);
    this.#own = own;
    this.#outbox = outbox;
    this.#diagnostics = diagnostics;
  }

  /** When `send` next has something to do; may be in the past. */
  get dueMs(): number {
    return this.#dirty ? -Infinity : this.#dueMs;
  }

  /** RA. False if the body is malformed, here and below. */
  receiveAdvertisement(link: number, body: ControlMap, nowMs: number): boolean {
    const advertisement = parseRouterAdvertisement(body);
    if (advertisement === undefined) return false;
    const record = this.learn(advertisement.id, true);
    if (record === undefined) return true;
    if (isEcho(record, advertisement.instance, nowMs)) {
      this.#diagnostics.ignored('stale', link, 'RA');
      return true;
    }
    this.noteInstance(record, advertisement.instance, nowMs);
    record.lastHeardMs = nowMs;
    record.heardOn = link;
    const { linkStateSequence, mobileSequence } = advertisement;
    this.#noteLifeOfSigner(record, advertisement, nowMs);
    if (linkStateSequence > record.linkStateSequence) {
      record.advertisedLinkStateSequence = linkStateSequence;
      record.linkStateRequest.askFor(linkStateSequence, nowMs);
      this.#dirty = true;
      // An old link state may deny the only way to it; then it could not be asked for the new one.
      if (record.linkStateSequence > 0 && !record.reachable && !record.outdated) {
        record.outdated = true;
        this.topologyChanged = true;
      }
    }
    const known = this.#mobileSequenceOf(record);
    if (mobileSequence > known) {
      record.advertisedMobileSequence = mobileSequence;
      // One behind: the differential update may be on its way.
      const graceMs = mobileSequence === known + 1 ? differentialGraceMs : 0;
      record.mobileRequest.askFor(mobileSequence, nowMs + graceMs);
      this.#dirty = true;
    }
    return true;
  }

  /** A router that signs has restarted, far from here: its sequences say nothing about what is known of its life before. */
  #noteLifeOfSigner(record: RouterRecord, advertisement: RouterAdvertisement, nowMs: number): void {
    const known = this.#isSigner(record.routerId) ? this.#signed?.instanceOf(record.routerId) : undefined;
    if (known === undefined || advertisement.instance === 0 || advertisement.instance === known) return;
    record.advertisedLinkStateSequence = advertisement.linkStateSequence;
    record.advertisedMobileSequence = advertisement.mobileSequence;
    record.linkStateRequest.askFor(advertisement.linkStateSequence, nowMs);
    record.mobileRequest.askFor(advertisement.mobileSequence, nowMs);
    this.#dirty = true;
  }

  /** LSR. Always answered; whoever asks becomes known. */
  receiveLinkStateRequest(link: number, body: ControlMap): boolean {
    const id = makerOf(body);
    if (id === undefined) return false;
    const record = this.learn(id, true);
    if (record === undefined) return true;
    record.heardOn = link;
    record.owesLinkState = true;
    this.#dirty = true;
    return true;
  }

  /** LSU. Used if newer than what is known. */
  receiveLinkState(link: number, body: ControlMap, nowMs: number): boolean {
    const update = parseLinkStateUpdate(body);
    if (update === undefined) return false;
    const record = this.learn(update.id, true);
    if (record === undefined) return true;
    if (this.#takesRecords(record, link, body, nowMs, 'LSU')) return true;
    if (update.instance !== 0 && record.instance !== undefined && update.instance < record.instance) {
      this.#diagnostics.ignored('stale', link, 'LSU');
      return true;
    }
    this.noteInstance(record, update.instance, nowMs);
    record.lastHeardMs = nowMs;
    if (update.linkStateSequence > record.linkStateSequence) {
      const before = record.peers;
      if (this.database.update(record, update.linkStateSequence, update.peers, update.site)) {
        this.topologyChanged = true;
        this.isPressing ||= discouragesTransit(before, update.peers) || this.#completesWay(record);
      }
      // Each one costs a look at all that are known: where there is no room for one, there is none for the rest.
      for (const peer of update.peers.keys()) if (peer !== this.#own.routerId && this.learn(peer, false) === undefined) break;
    }
    if (record.linkStateSequence >= record.advertisedLinkStateSequence) record.linkStateRequest.answered();
    if (record.addressesUnconfirmed) {
      // The answer shows that there is a path back now: the first request for addresses may have been too early.
      record.addressesUnconfirmed = false;
      record.mobileRequest.askFor(this.directory.sequenceOf(record.routerId) + 1, nowMs);
    }
    this.#dirty = true;
    return true;
  }

  /** Whether an edge leads from a router with a path to one without, that tells of it too or has not told anything yet. */
  #completesWay({ routerId, reachable, peers }: RouterRecord): boolean {
    for (const peer of peers.keys()) {
      if (peer === this.#own.routerId) {
        if (!reachable) return true;
        continue;
      }
      const other = this.database.get(peer);
      if (other === undefined || (other.reachable !== reachable && (other.peers.has(routerId) || other.peers.size === 0))) return true;
    }
    return false;
  }

  /** MAR. Answered if the other router is behind. */
  receiveMobileRequest(link: number, body: ControlMap): boolean {
    const request = parseMobileAddressRequest(body);
    if (request === undefined) return false;
    const record = this.database.get(request.id);
    if (record === undefined) {
      this.#diagnostics.ignored('unknown router', link, 'MAR');
    } else if (request.haveSequence < this.local.sequence) {
      record.owesAddresses = true;
      this.#dirty = true;
    }
    return true;
  }

  /** MAU, differential or absolute. */
  receiveMobileUpdate(link: number, body: ControlMap, nowMs: number): boolean {
    const update = parseMobileAddressUpdate(body);
    if (update === undefined) return false;
    const record = this.database.get(update.id);
    if (record === undefined) {
      this.#diagnostics.ignored('unknown router', link, 'MAU');
      return true;
    }
    if (this.#takesRecords(record, link, body, nowMs, 'MAU')) return true;
    if (update.skipped > 0) this.#diagnostics.ignored('malformed address', link, 'MAU');
    this.#dirty = true;
    const outcome = this.directory.apply(this.#granted(update));
    if (outcome === 'gap') {
      record.advertisedMobileSequence = Math.max(record.advertisedMobileSequence, update.mobileSequence);
      record.mobileRequest.askFor(update.mobileSequence, nowMs);
      return true;
    }
    if (outcome === 'stale') this.#diagnostics.ignored('stale', link, 'MAU');
    if (outcome === 'applied in part') this.#diagnostics.limitReached('addressesPerRouter', record.routerId);
    record.addressesUnconfirmed = false;
    if (update.mobileSequence >= record.advertisedMobileSequence) record.mobileRequest.answered();
    return true;
  }

  /**
   * The records of a router that signs, which it puts into its updates for those behind routers that do not. True where only the records
   * count: then nothing else in the update is believed.
   */
  #takesRecords(record: RouterRecord, link: number, body: ControlMap, nowMs: number, opcode: 'LSU' | 'MAU'): boolean {
    const signed = this.#signed;
    if (signed === undefined) return false;
    const { routerId } = record;
    const records = recordsInBody(body);
    if (records !== undefined) signed.receiveCarried(records, routerId, nowMs);
    // Whose certificates are still being checked says by its records that it signs.
    if (!signed.isSigner(routerId) && (records ?? []).length === 0) return false;
    if (records === undefined) this.#diagnostics.spoofRefused(routerId, link, opcode);
    record.linkStateSequence = signed.linkStateSequenceOf(routerId);
    if (record.linkStateSequence >= record.advertisedLinkStateSequence) record.linkStateRequest.answered();
    if (this.#mobileSequenceOf(record) >= record.advertisedMobileSequence) record.mobileRequest.answered();
    this.#dirty = true;
    return true;
  }

  /** Of an update of a router that does not sign: what its anchors may announce. */
  #granted(update: MobileAddressUpdate): MobileAddressUpdate {
    const unsigned = this.#signed?.unsigned;
    if (unsigned === undefined) return update;
    return { ...update, add: update.add.filter(({ key }) => unsigned.mayAdvertise(update.id, key.slice(1))) };
  }

  #mobileSequenceOf({ routerId }: RouterRecord): number {
    return this.#isSigner(routerId) ? (this.#signed?.mobileSequenceOf(routerId) ?? 0) : this.directory.sequenceOf(routerId);
  }

  #isSigner(routerId: string): boolean {
    return this.#signed?.isSigner(routerId) ?? false;
  }

  /** What an unsigned router may announce has changed: its addresses are learned anew. */
  grantsChanged(routerId: string, nowMs: number): void {
    const record = this.database.get(routerId);
    if (record === undefined || this.#isSigner(routerId)) return;
    this.directory.flush(routerId);
    record.mobileRequest.ask(nowMs);
    this.#dirty = true;
  }

  /** A changed instance means that the router has restarted: what was known of it is void. Instance 0 says nothing. */
  noteInstance(record: RouterRecord, instance: number, nowMs: number): void {
    // Anybody can write any instance; a router that signs has an epoch.
    if (instance === 0 || record.instance === instance || this.#isSigner(record.routerId)) return;
    const restarted = record.instance !== undefined;
    const isDouble = record.previousInstance === instance;
    record.previousInstance = record.instance;
    record.instance = instance;
    record.instanceSinceMs = nowMs;
    if (!restarted) return;
    if (record.peers.size > 0) this.topologyChanged = true;
    record.clearLinkState();
    this.directory.flush(record.routerId);
    record.advertisedLinkStateSequence = 0;
    record.advertisedMobileSequence = 0;
    this.#askAll(record, nowMs);
    if (!isDouble) this.#diagnostics.emit({ type: 'routerRestarted', routerId: record.routerId, instance });
    else if (!record.doubleReported) {
      record.doubleReported = true;
      this.#diagnostics.emit({ type: 'doubleRouter', routerId: record.routerId, instance, other: record.previousInstance ?? 0 });
    }
  }

  /** The record of a router, made if need be and if there is room. `speaks`: a message of its own has come. */
  learn(routerId: string, speaks: boolean): RouterRecord | undefined {
    const known = this.database.get(routerId);
    const isNew = known === undefined;
    const hasSpoken = known?.speaks === true;
    if (isNew && !this.#mayLearn(routerId)) {
      this.#diagnostics.unsignedRefused(routerId);
      return undefined;
    }
    const full = this.database.size >= limits.routers;
    const record = this.database.learn(routerId, speaks);
    if (record === undefined) this.#diagnostics.limitReached('routers', routerId);
    // Somebody's edge may lead to the new router; or away from one that had to make place for it.
    else if (isNew && (full || this.database.isNamed(routerId))) this.topologyChanged = true;
    else if (speaks && !hasSpoken && this.#signed?.topology.names(routerId) === true) this.topologyChanged = true;
    return record;
  }

  /** Of routers that do not sign only so many are believed where this one does. */
  #mayLearn(routerId: string): boolean {
    if (this.#signed === undefined || this.#isSigner(routerId)) return true;
    if (this.#signed.requireSigned) return false;
    let unsigned = 0;
    for (const known of this.database.all()) if (!this.#isSigner(known.routerId)) unsigned++;
    return unsigned < limits.unsignedRouters;
  }

  /** Compares with the new paths: routers that have come into reach are asked for what may have been missed. */
  noteReachability(table: RouteTable, nowMs: number): void {
    for (const record of this.database.all()) {
      if (record.reachable === table.routers.has(record.routerId)) continue;
      const route = table.routers.get(record.routerId);
      record.reachable = route !== undefined;
      const isSigner = this.#isSigner(record.routerId);
      if (route === undefined) {
        record.unreachableSinceMs = nowMs;
        if (!isSigner) this.#diagnostics.emit({ type: 'routerUnreachable', routerId: record.routerId });
        continue;
      }
      const { routerId, cost, hops, nextHop } = route;
      if (isSigner) continue;
      this.#diagnostics.emit({ type: 'routerReachable', routerId, cost, hops, nextHop });
      this.#askAll(record, nowMs);
    }
  }

  /** Sends the requests that are due and the answers that are owed to the routers that can be reached. */
  send(table: RouteTable, nowMs: number): void {
    this.#dirty = false;
    this.#dueMs = Infinity;
    for (const record of this.database.all()) {
      if (!record.reachable) {
        this.#askBack(record, nowMs);
        continue;
      }
      if (isDue(record, nowMs)) {
        const link = table.routers.get(record.routerId)?.link;
        if (link === undefined) continue;
        this.#answer(record, link, nowMs);
        this.#request(record, link, nowMs);
      }
      this.#dueMs = Math.min(this.#dueMs, record.linkStateRequest.dueMs, record.mobileRequest.dueMs);
    }
  }

  /**
   * Link states go the way that messages came where there is no path by what is known. A signed link state that is out of date, or not known
   * at all, may deny the only path; it must not be doubted, since whoever wanted could then claim to be the way to that router.
   */
  #askBack(record: RouterRecord, nowMs: number): void {
    const { heardOn, linkStateRequest } = record;
    if (this.#signed === undefined || heardOn === undefined) return;
    if (record.owesLinkState) this.#answerLinkState(record, heardOn, nowMs);
    if (linkStateRequest.dueMs <= nowMs) this.#requestLinkState(record, heardOn, nowMs);
    this.#dueMs = Math.min(this.#dueMs, linkStateRequest.dueMs);
  }

  /** Expires link states, drops the addresses of routers that stay unreachable, and routers that nothing speaks for any more. */
  sweep(ownPeers: ReadonlySet<string>, nowMs: number, linkStateMaxAgeMs: number, holdoffMs: number): void {
    if (this.database.expire(nowMs, linkStateMaxAgeMs)) this.topologyChanged = true;
    for (const record of this.database.all()) {
      if (record.reachable || this.#isSigner(record.routerId)) continue;
      if (nowMs - record.unreachableSinceMs >= holdoffMs) this.directory.flush(record.routerId);
    }
    for (const { routerId } of this.database.forget(ownPeers, (routerId) => this.#signed?.topology.names(routerId) ?? false)) {
      if (this.#isSigner(routerId)) continue;
      this.directory.flush(routerId);
      this.#diagnostics.emit({ type: 'routerForgotten', routerId });
    }
  }

  #askAll(record: RouterRecord, nowMs: number): void {
    record.linkStateRequest.ask(nowMs);
    record.mobileRequest.ask(nowMs);
    record.addressesUnconfirmed = true;
    this.#dirty = true;
  }

  #request(record: RouterRecord, link: number, nowMs: number): void {
    const { routerId } = record;
    if (record.linkStateRequest.dueMs <= nowMs) {
      this.#requestLinkState(record, link, nowMs);
      // The way that what is known leads may be one that others send back: the old link state does not count as denial any more.
      const isBehind = record.linkStateSequence > 0 && record.advertisedLinkStateSequence > record.linkStateSequence;
      if (isBehind && !record.outdated && record.linkStateRequest.attempts >= attemptsBeforeOutdated) {
        record.outdated = true;
        this.topologyChanged = true;
      }
    }
    if (record.mobileRequest.dueMs <= nowMs) {
      const have = this.#mobileSequenceOf(record);
      this.#outbox.toRouter(link, routerId, 'MAR', mobileAddressRequestBody(this.#own.routerId, have));
      // A router that has nothing newer does not answer.
      record.mobileRequest.sent(nowMs, record.advertisedMobileSequence > have);
    }
  }

  #requestLinkState(record: RouterRecord, link: number, nowMs: number): void {
    this.#outbox.toRouter(link, record.routerId, 'LSR', linkStateRequestBody(this.#own.routerId));
    record.linkStateRequest.sent(nowMs, true);
  }

  #answerLinkState(record: RouterRecord, link: number, nowMs: number): void {
    record.owesLinkState = false;
    if (!isNewAnswer(record.linkStateAnswer, this.#own.sequence, nowMs)) return;
    this.#outbox.toRouter(link, record.routerId, 'LSU', withRecords(this.#own.body(), this.#signed?.ownRecords('LSU', 0) ?? []));
  }

  #answer(record: RouterRecord, link: number, nowMs: number): void {
    if (record.owesLinkState) this.#answerLinkState(record, link, nowMs);
    if (record.owesAddresses && isNewAnswer(record.mobileAnswer, this.local.sequence, nowMs)) {
      const body = absoluteUpdateBody(this.#own.routerId, this.local.sequence, this.local.announced());
      this.#outbox.toRouter(link, record.routerId, 'MAU', withRecords(body, this.#signed?.ownRecords('MAU', 0) ?? []));
    }
    record.owesAddresses = false;
  }
}

/** Whether there is something to send to a router. */
function isDue(record: RouterRecord, nowMs: number): boolean {
  if (record.owesLinkState || record.owesAddresses) return true;
  return record.linkStateRequest.dueMs <= nowMs || record.mobileRequest.dueMs <= nowMs;
}

/** A request for a link state that went unanswered so often may be going in a circle. */
const attemptsBeforeOutdated = 3;

/** False if the same answer was given a moment ago; notes it otherwise. A small request must not buy a large answer without end. */
function isNewAnswer(given: AnswerGiven, sequence: number, nowMs: number): boolean {
  if (given.sequence === sequence && nowMs - given.atMs < repeatedAnswerMs) return false;
  given.sequence = sequence;
  given.atMs = nowMs;
  return true;
}

/** Whether an instance is that of a router's life before, of which something was still on its way when it started again. */
function isEcho({ instance = 0, previousInstance, instanceSinceMs }: RouterRecord, heard: number, nowMs: number): boolean {
  return heard !== 0 && heard === previousInstance && heard < instance && nowMs - instanceSinceMs < echoOfPreviousLifeMs;
}

/** Whether a router that was passed through is about to leave: it waits for others to find another way. */
function discouragesTransit(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): boolean {
  for (const [peer, cost] of after) {
    if (cost >= limits.transitDiscouragement && (before.get(peer) ?? Infinity) < limits.transitDiscouragement) return true;
  }
  return false;
}
