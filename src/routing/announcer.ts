import type { Exchange } from './exchange.ts';
import { floodLinks } from './flooding.ts';
import type { RoutingTimers } from './limits.ts';
import { differentialUpdateBody, routerAdvertisementBody } from './message-body.ts';
import type { Outbox } from './outbox.ts';
import type { OwnLinkState } from './own-link-state.ts';
import { RateBudget } from './rate-budget.ts';
import { withRecords } from './record-text.ts';
import type { RouteTable } from './route-table.ts';
import type { SignedRouting } from './signed-routing.ts';

/** Tells the other routers what has changed here: addresses (MAU), and that there is something to ask for (RA). */
export class Announcer {
  readonly #own: OwnLinkState;
  readonly #exchange: Exchange;
  readonly #outbox: Outbox;
  readonly #timers: RoutingTimers;
  readonly #signed: SignedRouting | undefined;
  /** Changes of local addresses are told at once, ten in a row, then twenty a second. */
  readonly #addressBudget = new RateBudget(10, 50);
  /** Whether routers that do not sign are known: only then are messages for them sent. */
  #speaksLegacy: boolean;
  #pending = false;
  #advertisedAtMs = 0;

  constructor(own: OwnLinkState, exchange: Exchange, outbox: Outbox, timers: RoutingTimers, signed: SignedRouting | undefined) {
    this.#own = own;
    this.#exchange = exchange;
    this.#outbox = outbox;
    this.#timers = timers;
    this.#signed = signed;
    this.#speaksLegacy = signed === undefined;
  }

  get speaksLegacy(): boolean {
    return this.#speaksLegacy;
  }

  /** Routers that do not sign have become known: they are told at once what the others know; or there are none any more. */
  setSpeaksLegacy(speaksLegacy: boolean): void {
    if (speaksLegacy && !this.#speaksLegacy) this.#pending = true;
    this.#speaksLegacy = speaksLegacy;
  }

  started(nowMs: number): void {
    this.#advertisedAtMs = nowMs;
  }

  /** There is something new to be asked for. */
  advertiseSoon(): void {
    this.#pending = true;
  }

  /** When the next advertisement is due by itself. `topologyChangedMs`: advertisements come more often after it. */
  advertisementDueMs(topologyChangedMs: number): number {
    if (!this.#speaksLegacy) return Infinity;
    const { advertisementFluxIntervalMs, advertisementIntervalMs } = this.#timers;
    const fluxMs = this.#advertisedAtMs + advertisementFluxIntervalMs;
    const inFlux = fluxMs - topologyChangedMs <= 2 * advertisementFluxIntervalMs;
    return inFlux ? fluxMs : this.#advertisedAtMs + advertisementIntervalMs;
  }

  /** When a change of addresses may be told. */
  addressesDueMs(nowMs: number): number {
    return this.#exchange.local.hasChanges ? this.#addressBudget.availableAtMs(nowMs) : Infinity;
  }

  /** Tells what is due. */
  send(table: RouteTable, nowMs: number): void {
    if (this.#exchange.local.hasChanges && this.#addressBudget.take(nowMs)) this.#announceAddresses(table, nowMs);
    if (this.#pending) this.#advertise(table, nowMs);
  }

  /** The update goes out before the advertisement of its sequence, or every router would ask for it. */
  #announceAddresses(table: RouteTable, nowMs: number): void {
    const { local } = this.#exchange;
    const { add, del } = local.takeChange();
    const signed = this.#signed;
    signed?.changeOwnAddresses(add, del, local.sequence);
    signed?.settle(nowMs);
    if (this.#speaksLegacy) {
      const body = differentialUpdateBody(this.#own.routerId, local.sequence, add, del);
      const carried = withRecords(body, signed?.ownRecords('MAU', local.sequence - 1) ?? []);
      this.#outbox.toAll(floodLinks(table, new Set()), 'MAU', carried);
    }
    this.#pending = true;
  }

  #advertise(table: RouteTable, nowMs: number): void {
    this.#pending = false;
    this.#advertisedAtMs = nowMs;
    if (!this.#speaksLegacy) return;
    const body = routerAdvertisementBody({
      id: this.#own.routerId,
      instance: this.#own.instance,
      linkStateSequence: this.#own.sequence,
      mobileSequence: this.#exchange.local.sequence,
    });
    this.#outbox.toAll(floodLinks(table, new Set()), 'RA', body);
  }
}
