import { ProtocolViolation, type WeatherError } from '../base/errors.ts';
import { Descriptor } from '../amqp/constants.ts';
import { ValueReader } from '../amqp/value-reader.ts';
import { flushMessage, readFlowMessage } from '../flows/flow-messages.ts';
import type { Beacon } from '../flows/flow-messages.ts';
import { MessageInbox } from '../forwarding/message-inbox.ts';
import type { MessageHead } from '../forwarding/message-head.ts';
import type { LineStream } from '../host/line-server.ts';
import { formatResponse, respond, statusCodes, type ManagementRequest } from '../management/management-protocol.ts';
import { sendFlowMessage } from '../router/flow-delivery.ts';
import { failure } from '../router/management.ts';
import type { Router } from '../router/router.ts';
import type { ObserveOptions } from './site-flows.ts';

/** Sources that are listened to: each takes up to five of the router's addresses. */
const maxSources = 1_900;
/** Sources of one router: its own, and those of controllers beside it. More would be made up. */
const maxSourcesOfRouter = 16;
/** A source that has been silent for so long is forgotten. */
const forgetMs = 60_000;
const lookMs = 1_000;
/** A new source is asked for all its records until some have come: its address may not be known everywhere yet. */
const maxQuestions = 10;

const beaconAddress = 'mc/sfe.all';
const addressPattern = /^mc\/sfe\.[!-~]{1,100}$/;

/** A source of records, as its beacons tell. */
interface Source {
  readonly id: string;
  readonly origin: string;
  readonly addresses: readonly string[];
  /** The first beacon, whole: who takes the observation over has not heard it. */
  readonly beacon: { readonly message: Beacon; readonly octets: Uint8Array };
  heardMs: number;
  /** Some records have come. */
  hasRecords: boolean;
  questions: number;
}

/** What an observation needs of the router. */
export type ObservedRouter = Pick<Router, 'forwarder' | 'turns'>;

/** What one observer is told, with its subscriptions. */
export class FlowObservation {
  readonly #router: ObservedRouter;
  readonly options: ObserveOptions;
  readonly #request: ManagementRequest;
  readonly #client: LineStream;
  readonly #ended: () => void;
  readonly #beacons: MessageInbox;
  readonly #records: MessageInbox;
  /** By router and id: two routers may call their sources the same, but each speaks for its own only. */
  readonly #sources = new Map<string, Source>();
  /** Sources by the addresses that their records come to, and by router. */
  readonly #byAddress = new Map<string, Map<string, Source>>();
  readonly #timer: NodeJS.Timeout;
  #messageNumber = 0;
  /** Messages that the client did not take. */
  #lost = 0;
  #isOver = false;
  #lingering: NodeJS.Timeout | undefined;

  /** `before` lingers: this one takes over what it listens to, without a gap. Of the others at this site it hears what sources there are. */
  constructor(
    router: ObservedRouter,
    options: ObserveOptions,
    request: ManagementRequest,
    client: LineStream,
    ended: () => void,
    before?: FlowObservation,
    others: Iterable<FlowObservation> = [],
  ) {
    this.#router = router;
    this.options = options;
    this.#request = request;
    this.#client = client;
    this.#ended = ended;
    this.#beacons = new MessageInbox((octets, head, origin) => this.#beacon(octets, head, origin));
    this.#records = new MessageInbox((octets, head, origin) => this.#take(octets, head, origin));
    this.#timer = setInterval(() => this.#look(), lookMs);
    client.closed.addEventListener('abort', () => this.#clientGone(), { once: true });
    // The first answer goes out before anything that is told.
    const known = [...others].filter((other) => other !== before);
    setImmediate(() => this.#begin(before, known));
  }

  /** The client has gone, and another may take over what is listened to. */
  get isLingering(): boolean {
    return this.#lingering !== undefined;
  }

  #begin(before: FlowObservation | undefined, others: readonly FlowObservation[]): void {
    if (this.#isOver) return;
    this.#router.forwarder.addConsumer(beaconAddress, this.#beacons);
    this.#router.turns.touch();
    if (before !== undefined && !before.#isOver) {
      this.#join(before);
      before.#end();
    }
    for (const other of others) if (!other.#isOver) this.#join(other);
  }

  /** Sources make themselves known to a site once: who joins later hears of them here. */
  #join(other: FlowObservation): void {
    for (const [key, { beacon, origin }] of other.#sources) {
      if (this.#sources.has(key) || this.#add(beacon.message, beacon.octets, origin) === undefined) continue;
      this.#tell(beacon.octets, beaconAddress, origin);
    }
  }

  /** For a while routers go on counting as if it were there: an observer that comes back has missed nothing of the sums. */
  #clientGone(): void {
    const { lingerMs = 0 } = this.options;
    if (this.#isOver || lingerMs === 0) this.#end();
    else this.#lingering = setTimeout(() => this.#end(), lingerMs);
  }

  #beacon(octets: Uint8Array, head: MessageHead, origin: string): void {
    let beacon: Beacon;
    try {
      const message = readFlowMessage(octets);
      if (message.subject !== 'BEACON') return;
      beacon = message;
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) throw error;
      return;
    }
    const source = this.#sources.get(keyOf(origin, beacon.id)) ?? this.#add(beacon, octets, origin);
    if (source === undefined) return;
    source.heardMs = performance.now();
    this.#tell(octets, head.to ?? beaconAddress, origin);
  }

  #add(message: Beacon, octets: Uint8Array, origin: string): Source | undefined {
    const { id, sourceType, address } = message;
    if (!addressPattern.test(address) || this.#sources.size >= maxSources || this.#sourcesOf(origin) >= maxSourcesOfRouter)
      return undefined;
    const { detail, logs } = this.options;
    const addresses = [
      address,
      `${address}.caravan`,
      ...(detail ? [`${address}.flows`] : []),
      ...(logs ? [`${address}.logs`] : []),
      ...(sourceType === 'CONTROLLER' ? [`${address}.heartbeats`] : []),
    ].filter((wanted) => this.#byAddress.get(wanted)?.has(origin) !== true);
    const beacon = { message, octets: octets.slice() };
    const source: Source = { id, origin, addresses, beacon, heardMs: performance.now(), hasRecords: false, questions: 0 };
    this.#sources.set(keyOf(origin, id), source);
    for (const wanted of addresses) {
      const listened = this.#byAddress.get(wanted);
      if (listened !== undefined) {
        listened.set(origin, source);
        continue;
      }
      this.#byAddress.set(wanted, new Map([[origin, source]]));
      this.#router.forwarder.addConsumer(wanted, this.#records);
    }
    this.#ask(source);
    return source;
  }

  #sourcesOf(origin: string): number {
    let count = 0;
    for (const source of this.#sources.values()) if (source.origin === origin) count++;
    return count;
  }

  /** Asks for all records. */
  #ask(source: Source): void {
    source.questions++;
    const { forwarder, turns } = this.#router;
    sendFlowMessage(forwarder, flushMessage(++this.#messageNumber, source.id), source.origin);
    turns.touch();
  }

  #take(octets: Uint8Array, head: MessageHead, origin: string): void {
    const { to } = head;
    const source = to === null ? undefined : this.#byAddress.get(to)?.get(origin);
    if (to === null || source === undefined) return;
    source.heardMs = performance.now();
    const subject = this.#tell(octets, to, origin);
    if (subject === 'RECORD') source.hasRecords = true;
  }

  #tell(octets: Uint8Array, to: string, origin: string): string {
    const subject = subjectOf(octets);
    if (this.isLingering) return subject;
    const payload = Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString('base64');
    if (this.#lost > 0 && this.#line({ lost: this.#lost })) this.#lost = 0;
    if (!this.#line({ to, subject, payload, origin })) this.#lost++;
    return subject;
  }

  #line(body: object): boolean {
    return this.#client.send(formatResponse(respond(this.#request.id, statusCodes.ok, body)));
  }

  /** Asks again who has not answered, and forgets who is gone. */
  #look(): void {
    const nowMs = performance.now();
    if (this.#lost > 0 && !this.isLingering && this.#line({ lost: this.#lost })) this.#lost = 0;
    for (const source of this.#sources.values()) {
      if (nowMs - source.heardMs >= forgetMs) this.#forget(source);
      else if (!source.hasRecords && source.questions < maxQuestions) this.#ask(source);
    }
  }

  #forget(source: Source): void {
    this.#sources.delete(keyOf(source.origin, source.id));
    for (const address of source.addresses) {
      const listened = this.#byAddress.get(address);
      listened?.delete(source.origin);
      if (listened === undefined || listened.size > 0) continue;
      this.#byAddress.delete(address);
      this.#router.forwarder.removeConsumer(address, this.#records);
    }
  }

  /** Ends the observation and tells the client why. */
  cut(reason: WeatherError): void {
    if (this.#isOver) return;
    this.#client.endWith(formatResponse(failure(this.#request, reason)));
    this.#end();
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearInterval(this.#timer);
    clearTimeout(this.#lingering);
    this.#ended();
    for (const source of [...this.#sources.values()]) this.#forget(source);
    this.#router.forwarder.removeConsumer(beaconAddress, this.#beacons);
    this.#router.turns.touch();
  }
}

function keyOf(origin: string, id: string): string {
  return `${origin} ${id}`;
}

/** Longest subject that is told. */
const maxSubjectLength = 64;

/** The subject of a message; empty when it has none. What else is in it is for the observer to read. */
function subjectOf(octets: Uint8Array): string {
  try {
    const reader = new ValueReader(octets);
    while (!reader.atEnd) {
      if (reader.readDescriptor() !== Descriptor.properties) {
        reader.skip();
        continue;
      }
      const count = reader.enterList();
      if (count < 4) return '';
      for (let index = 0; index < 3; index++) reader.skip();
      return reader.skipNull() ? '' : reader.readText(maxSubjectLength);
    }
  } catch (error) {
    if (!(error instanceof ProtocolViolation)) throw error;
  }
  return '';
}
