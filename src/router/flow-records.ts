import { hostname } from 'node:os';
import type { Clock } from '../base/clock.ts';
import type { ConfigurationRecord } from '../flows/configuration-records.ts';
import { FlowSource } from '../flows/flow-source.ts';
import type { OutgoingFlowMessage } from '../flows/flow-messages.ts';
import { Attribute, RecordType } from '../flows/record-types.ts';
import type { Forwarder } from '../forwarding/forwarder.ts';
import { MessageInbox } from '../forwarding/message-inbox.ts';
import type { TurnQueue } from '../host/turn.ts';
import type { ControlMap } from '../routing/control-message.ts';
import { sendFlowMessage } from './flow-delivery.ts';
import { WakeTimer } from './wake-timer.ts';

/** Services tell the octets of connections that go on this often. */
const reportMs = 1_000;

/** What is known of the router's credentials and wanted of its records, as it is at the moment. */
export interface FlowSettings {
  /** Records of single requests and connections that it may begin each second. */
  readonly detailRate: number;
  /** When its certificate and its membership of the network end, in milliseconds since 1970. */
  readonly certificateEndsMs: number | undefined;
  readonly membershipEndsMs: number | undefined;
}

export interface FlowRecordsOptions {
  /** Asked for from the first message on. */
  readonly forwarder: () => Forwarder;
  readonly clock: Clock;
  readonly turns: TurnQueue;
  readonly routerId: string;
  readonly version: string;
  readonly mode: string;
  /** Five characters that no other process has. */
  readonly sourceId: string;
  readonly nextIdentity: () => string;
  readonly settings: () => FlowSettings;
  /** Asks services and links for what changes by itself: once a second at most, and only while somebody listens. */
  readonly refresh: () => void;
  /** Asks services for the octets of connections that go on. */
  readonly report: () => void;
}

/** Attributes of the site that records and the routing protocol share, by their names there. */
const siteAttributes: readonly (readonly [string, Attribute])[] = [
  ['location', Attribute.location],
  ['provider', Attribute.provider],
  ['platform', Attribute.platform],
  ['namespace', Attribute.namespace],
  ['version', Attribute.buildVersion],
];

/**
 * Tells the network what this router is and does, as skupper-router's records: nothing while nobody listens. Its own addresses, for those who
 * ask and those who add, are there as long as somebody does.
 */
export class FlowRecords {
  readonly source: FlowSource;
  readonly #options: FlowRecordsOptions;
  readonly #wake: WakeTimer;
  readonly #inbox: MessageInbox;
  readonly #site: ConfigurationRecord;
  readonly #router: ConfigurationRecord;
  #isOffered = false;
  /** Routers where somebody listens for sources. */
  #listeners: ReadonlySet<string> = new Set();
  #reportAtMs = 0;
  #stopped = false;

  constructor(options: FlowRecordsOptions, site: ControlMap | undefined) {
    const { clock, sourceId, nextIdentity, routerId, version, mode } = options;
    this.#options = options;
    this.#wake = new WakeTimer(options, () => this.#due());
    const serves = (address: string, server: string): boolean => this.#serves(address, server);
    this.source = new FlowSource({ sourceId, nextIdentity, refresh: () => this.#refresh(), serves });
    this.#inbox = new MessageInbox((octets, _head, origin) => {
      this.source.receive(octets, clock.nowMs(), origin);
      this.#pump();
    });
    const wallMicroseconds = this.wallMicroseconds();
    this.#site = this.source.begin(RecordType.site, [[Attribute.name, routerId]], wallMicroseconds, routerId);
    this.#router = this.source.begin(
      RecordType.router,
      [
        [Attribute.parent, routerId],
        [Attribute.name, `0/${routerId}`],
        [Attribute.hostname, hostname()],
        [Attribute.imageName, 'caravan'],
        [Attribute.imageVersion, version],
        [Attribute.buildVersion, version],
        [Attribute.mode, mode],
      ],
      wallMicroseconds,
      `${sourceId}:0`,
    );
    if (site !== undefined) this.updateSite(site);
    this.source.start(clock.nowMs());
  }

  /** Of the router's own record, the parent of what belongs to it. */
  get routerIdentity(): string {
    return this.#router.identity;
  }

  wallMicroseconds(): number {
    return Math.round(this.#options.clock.wallMs() * 1000);
  }

  updateSite(site: ControlMap): void {
    const name = site.get('name');
    if (typeof name === 'string' && name !== '') this.#site.set(Attribute.name, name);
    for (const [key, attribute] of siteAttributes) {
      const value = site.get(key);
      if (typeof value === 'string') this.#site.set(attribute, value);
    }
    const namespace = site.get('namespace');
    if (typeof namespace === 'string') this.#router.set(Attribute.namespace, namespace);
  }

  /** Routes or local consumers have changed: so may have who listens. */
  routesChanged(): void {
    if (this.#stopped) return;
    const { addresses } = this.source;
    const interest = {
      all: this.#isWanted(addresses.beacons),
      records: this.#isWanted(addresses.records),
      flows: this.#isWanted(addresses.flows),
      logs: this.#isWanted(addresses.logs),
      caravan: this.#isWanted(addresses.caravan),
    };
    this.#offer(interest.all);
    const wasActive = this.source.isActive;
    this.source.setInterest(interest, this.#options.clock.nowMs(), this.wallMicroseconds());
    this.#greet(addresses.beacons);
    if (wasActive || this.source.isActive) this.#pump();
  }

  #greet(beacons: string): void {
    const forwarder = this.#options.forwarder();
    const listeners = new Set(forwarder.routersOf(beacons).map(({ routerId }) => routerId));
    if (forwarder.localConsumers(beacons) > 0) listeners.add(this.#options.routerId);
    if (!listeners.isSubsetOf(this.#listeners)) this.source.listenerJoined(this.#options.clock.nowMs());
    this.#listeners = listeners;
  }

  #isWanted(address: string): boolean {
    const forwarder = this.#options.forwarder();
    return forwarder.localConsumers(address) > 0 || forwarder.routersOf(address).length > 0;
  }

  #serves(address: string, routerId: string): boolean {
    const { forwarder, routerId: ownId } = this.#options;
    return (
      routerId === ownId ||
      forwarder()
        .routersOf(address)
        .some((router) => router.routerId === routerId)
    );
  }

  #offer(wanted: boolean): void {
    if (wanted === this.#isOffered) return;
    const forwarder = this.#options.forwarder();
    const { direct, supplements } = this.source.addresses;
    this.#isOffered = wanted;
    for (const address of [direct, supplements]) {
      if (wanted) {
        forwarder.addConsumer(address, this.#inbox);
        forwarder.addLocal(address, this.#inbox);
      } else {
        forwarder.removeConsumer(address, this.#inbox);
        forwarder.removeLocal(address);
      }
    }
  }

  #due(): void {
    const nowMs = this.#options.clock.nowMs();
    if (nowMs >= this.#reportAtMs) {
      this.#reportAtMs = nowMs + reportMs;
      this.source.flowsPerSecond = this.#options.settings().detailRate;
      this.#options.report();
    }
    this.source.handleTimeout(nowMs, this.wallMicroseconds());
    this.#pump();
  }

  #refresh(): void {
    const { certificateEndsMs, membershipEndsMs } = this.#options.settings();
    if (certificateEndsMs !== undefined) this.#router.set(Attribute.certificateEnds, Math.round(certificateEndsMs * 1000));
    if (membershipEndsMs !== undefined) this.#router.set(Attribute.membershipEnds, Math.round(membershipEndsMs * 1000));
    this.#options.refresh();
  }

  #pump(): void {
    if (this.#stopped) return;
    for (let message = this.source.nextMessage(); message !== undefined; message = this.source.nextMessage()) this.#send(message);
    this.#wake.at(this.source.nextDeadlineMs());
  }

  #send(message: OutgoingFlowMessage): void {
    sendFlowMessage(this.#options.forwarder(), message, message.routerId ?? '');
    this.#options.turns.touch();
  }

  stop(): void {
    this.#offer(false);
    this.#stopped = true;
    this.#wake.stop();
  }
}
