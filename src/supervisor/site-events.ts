import { AddressGrant } from '../base/address-grant.ts';
import { InputError, ProtocolViolation, WeatherError } from '../base/errors.ts';
import { Condition } from '../amqp/constants.ts';
import type { LineStream } from '../host/line-server.ts';
import { formatResponse, lineLimitBytes, respond, statusCodes, type ManagementRequest } from '../management/management-protocol.ts';
import { distributionOf } from '../router/address-rules.ts';
import { failure } from '../router/management.ts';
import type { Router } from '../router/router.ts';
import { EventConsumer } from '../services/events/event-consumer.ts';
import { eventMessage, maxEventBodyBytes, type EventMessage } from '../services/events/event-message.ts';
import { Publication, type PublicationOutcome } from '../services/events/publication.ts';
import type { SiteRouter } from './site-router.ts';
import type { TrustStore } from '../host/trust-store.ts';

/** Subscriptions of one site: each holds a connection, of which there are few. */
const maxSubscriptions = 32;
/** Messages of one site whose outcome is awaited. */
const maxPublications = 256;
/** Receipts travel beside the outcome; those that are a little later are counted, too. */
const receiptGraceMs = 100;
/** A message that found no way to consumers that are known is sent again for so long: routes change within it. */
const patienceMs = 2_000;
/** While subscribers are waited for, they are counted this often. */
const countMs = 50;

export interface PublishOptions {
  readonly address: string;
  /** Base64. */
  readonly body: string;
  readonly contentType?: string;
  readonly subject?: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Sites with consumers that are waited for. */
  readonly waitFor: number;
  readonly timeoutMs: number;
}

/** What became of a message that was published. */
export interface PublishedEvent {
  readonly outcome: PublicationOutcome;
  /** Subscribers that have told that they have it. Consumers that are no subscribers of Caravan do not tell. */
  readonly subscribers: number;
  /** Sites with consumers of the address when it was sent. */
  readonly sites: number;
  /** Why it was rejected. */
  readonly reason: string | null;
}

/** A message as subscribers are told of it. */
export interface ReceivedEvent {
  readonly to: string | null;
  readonly subject: string | null;
  readonly messageId: string | null;
  readonly correlationId: string | null;
  readonly replyTo: string | null;
  readonly contentType: string | null;
  readonly headers: Readonly<Record<string, string>>;
  /** Base64. */
  readonly body: string;
}

/** The first answer to a subscriber. */
export interface SubscribedBody {
  readonly address: string;
  /** How messages are shared among the consumers of the address, as this site announces it. */
  readonly distribution: string;
}

/** Messages that people and programs of this host publish and take, through the site's process. */
export class SiteEvents {
  readonly #router: SiteRouter;
  readonly #trust: TrustStore;
  readonly #subscriptions = new Set<Subscription>();
  #publications = 0;

  constructor(router: SiteRouter, trust: TrustStore) {
    this.#router = router;
    this.#trust = trust;
  }

  get #running(): Router {
    const { router } = this.#router;
    if (router !== undefined) return router;
    throw new WeatherError('router-not-running', 'the router is not running', { remedy: 'the log says why: van site logs' });
  }

  /** Sends one message and waits for its outcome. Throws WeatherError `not-granted`, `too-few-subscribers`, `no-outcome`, `too-many-messages`. */
  async publish(options: PublishOptions): Promise<PublishedEvent> {
    const { address, contentType, subject, headers, waitFor, timeoutMs } = options;
    const body = Buffer.from(options.body, 'base64');
    if (body.length > maxEventBodyBytes) {
      throw new InputError('input-too-long', 'body', `is longer than ${maxEventBodyBytes} bytes`);
    }
    this.#checkGrant('consume', address);
    if (this.#publications >= maxPublications) {
      throw new WeatherError('too-many-messages', `${maxPublications} messages wait for their outcome`, { remedy: 'try again' });
    }
    this.#publications++;
    try {
      const endMs = performance.now() + timeoutMs;
      await this.#subscribers(address, waitFor, endMs);
      const message = eventMessage({
        to: address,
        messageId: crypto.randomUUID(),
        subject: subject ?? null,
        contentType: contentType ?? null,
        headers: new Map(Object.entries(headers)),
        body,
      });
      const patienceEndMs = Math.min(endMs, performance.now() + patienceMs);
      for (;;) {
        const sites = sitesOf(this.#running, address);
        const end = await settled(this.#running, message, endMs);
        // Nobody has it, and somebody should: routes are changing.
        const isAgain = end.outcome === 'released' && sites > 0 && performance.now() < patienceEndMs;
        if (!isAgain) return { sites, ...end };
        await pause(countMs);
      }
    } finally {
      this.#publications--;
    }
  }

  /** The other routers hold this site to what it was granted; here it hears why. */
  #checkGrant(use: 'advertise' | 'consume', address: string): void {
    const patterns = this.#trust.rights?.[use];
    if (patterns === undefined || new AddressGrant(patterns).allows(address)) return;
    const allowed = patterns.length === 0 ? 'nothing' : patterns.join(', ');
    throw new WeatherError('not-granted', `this site may ${use} ${allowed}, not '${address}'`, {
      remedy: `redeem a token that was issued with --${use} ${address}`,
    });
  }

  /** Waits until so many sites have consumers. */
  async #subscribers(address: string, count: number, endMs: number): Promise<void> {
    for (;;) {
      const sites = sitesOf(this.#running, address);
      if (sites >= count) return;
      if (performance.now() >= endMs) {
        throw new WeatherError(
          'too-few-subscribers',
          `only ${sites} of ${count} sites have consumers of '${address}'; the message was not sent`,
          { remedy: `subscribe there: van subscribe ${address}` },
        );
      }
      await pause(countMs);
    }
  }

  /**
   * Sends each message of an address to `client` as an answer of its own, until the client goes. Throws WeatherError `not-granted`,
   * `too-many-subscriptions` and `too-many-addresses`.
   */
  subscribe(address: string, request: ManagementRequest, client: LineStream): SubscribedBody {
    this.#checkGrant('advertise', address);
    if (this.#subscriptions.size >= maxSubscriptions) {
      throw new WeatherError('too-many-subscriptions', `this site has ${maxSubscriptions} subscriptions`, { remedy: 'end some of them' });
    }
    const router = this.#running;
    const subscription = new Subscription(router, address, request, client, () => this.#subscriptions.delete(subscription));
    subscription.start();
    this.#subscriptions.add(subscription);
    return { address, distribution: distributionOf(router.forwarder.treatment(address)) };
  }

  /** The router is about to stop. */
  end(reason: string): void {
    for (const subscription of [...this.#subscriptions]) {
      subscription.cut(new WeatherError('subscription-ended', reason, { remedy: 'subscribe again when the site runs' }));
    }
  }
}

/** One client that takes the messages of an address. */
class Subscription {
  readonly #router: Router;
  readonly #address: string;
  readonly #request: ManagementRequest;
  readonly #client: LineStream;
  readonly #consumer: EventConsumer;
  readonly #ended: () => void;
  #isOver = false;
  #isFull = false;

  constructor(router: Router, address: string, request: ManagementRequest, client: LineStream, ended: () => void) {
    this.#router = router;
    this.#address = address;
    this.#request = request;
    this.#client = client;
    this.#ended = ended;
    this.#consumer = new EventConsumer(router.forwarder, (message) => this.#take(message));
  }

  start(): void {
    const { forwarder } = this.#router;
    if (!forwarder.addConsumer(this.#address, this.#consumer)) {
      throw new WeatherError('too-many-addresses', 'this router has consumers of as many addresses as it can', {
        remedy: 'end some of the subscriptions',
      });
    }
    this.#client.closed.addEventListener('abort', () => this.#end(), { once: true });
    this.#changed();
  }

  #changed(): void {
    this.#router.turns.touch();
  }

  #take(message: EventMessage): boolean {
    if (this.#isOver || this.#isFull) return false;
    const line = formatResponse(respond(this.#request.id, statusCodes.ok, plainEvent(message)));
    if (Buffer.byteLength(line) > lineLimitBytes) {
      throw new ProtocolViolation(Condition.resourceLimitExceeded, `the message is longer than a line of ${lineLimitBytes} bytes`);
    }
    if (this.#client.send(line)) return true;
    // This message is given back first.
    this.#isFull = true;
    queueMicrotask(() =>
      this.cut(
        new WeatherError('slow-subscriber', `the subscriber does not read: messages of '${this.#address}' do not wait for it any longer`, {
          remedy: 'read faster, or subscribe again',
        }),
      ),
    );
    return false;
  }

  /** Ends the subscription and tells the client why. */
  cut(reason: WeatherError): void {
    if (this.#isOver) return;
    this.#client.endWith(formatResponse(failure(this.#request, reason)));
    this.#end();
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#ended();
    this.#router.forwarder.removeConsumer(this.#address, this.#consumer);
    this.#consumer.stop();
    this.#changed();
  }
}

interface Settled {
  readonly outcome: PublicationOutcome;
  readonly subscribers: number;
  readonly reason: string | null;
}

/** Sends a message and waits for its outcome and the receipts. */
async function settled(router: Router, message: EventMessage, endMs: number): Promise<Settled> {
  const told = Promise.withResolvers<void>();
  const publication = new Publication(router.forwarder, message, told.resolve);
  router.turns.touch();
  const timer = setTimeout(told.resolve, Math.max(0, endMs - performance.now()));
  try {
    await told.promise;
    const { outcome } = publication;
    if (outcome === undefined) {
      throw new WeatherError('no-outcome', `not all consumers of '${message.to ?? ''}' have told in time what became of the message`, {
        remedy: `${publication.receipts} have it; wait longer with --timeout`,
      });
    }
    if (outcome === 'accepted') await pause(receiptGraceMs);
    return { outcome, subscribers: publication.receipts, reason: publication.error?.description ?? null };
  } finally {
    clearTimeout(timer);
    publication.close();
    router.turns.touch();
  }
}

function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}

/** Sites with consumers of an address that can be reached, this one included. */
function sitesOf({ forwarder }: Router, address: string): number {
  const remote = forwarder.routersOf(address).filter(({ link }) => link >= 0).length;
  return remote + (forwarder.localConsumers(address) > 0 ? 1 : 0);
}

function plainEvent({ headers, body, to, subject, messageId, correlationId, replyTo, contentType }: EventMessage): ReceivedEvent {
  return {
    to,
    subject,
    messageId,
    correlationId,
    replyTo,
    contentType,
    headers: Object.fromEntries(headers),
    body: Buffer.from(body).toString('base64'),
  };
}
