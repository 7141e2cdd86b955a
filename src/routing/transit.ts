import { routerIdOfNode, type ControlScope } from './control-address.ts';
import type { ControlMessage } from './control-message.ts';
import type { RoutingDiagnostics } from './events.ts';
import { DuplicateFilter, floodLinks, linksInTrace, multicastLinks } from './flooding.ts';
import type { Neighbour } from './hello.ts';
import { parseRouterAdvertisement } from './message-body.ts';
import type { Outbox } from './outbox.ts';
import { RateBudget } from './rate-budget.ts';
import type { RouteTable } from './route-table.ts';

/**
 * Messages for everybody that are passed on from one link in a row, and the time in which one more may be: twice what 1,024 routers say while a
 * network forms. Everything in them is said again; without a limit one neighbour could keep the whole network busy.
 */
const floodsInARow = 2_048;
const floodRefillMs = 2;

/** What the way of a message depends on. */
export interface TransitView {
  readonly table: RouteTable;
  readonly neighbours: ReadonlyMap<string, Neighbour>;
  /** Of the paths in use. */
  readonly topologyVersion: number;
}

/** Messages of other routers for others. What this router does not understand goes on all the same. */
export class Transit {
  readonly #selfId: string;
  readonly #outbox: Outbox;
  readonly #diagnostics: RoutingDiagnostics;
  readonly #duplicates = new DuplicateFilter();
  /** By link; a link that is gone has its place until its budget is full again. */
  readonly #budgets = new Map<number, RateBudget>();

  constructor(selfId: string, outbox: Outbox, diagnostics: RoutingDiagnostics) {
    this.#selfId = selfId;
    this.#outbox = outbox;
    this.#diagnostics = diagnostics;
  }

  passOn(link: number, to: ControlScope, message: ControlMessage, view: TransitView, nowMs: number): void {
    const { table, neighbours } = view;
    const excluded = linksInTrace(message.trace, neighbours).add(link);
    if (to.scope === 'router') {
      const nextLink = table.routers.get(to.routerId)?.link;
      if (nextLink === undefined) this.#diagnostics.ignored('no route', link, message.opcode);
      else if (excluded.has(nextLink)) this.#diagnostics.ignored('loop', link, message.opcode);
      else this.#outbox.passOn([nextLink], message);
    } else if (!this.#budgetOf(link).take(nowMs)) {
      this.#diagnostics.ignored('too many', link, message.opcode);
    } else if (to.endpoint === 'qdrouter.ma') {
      const origin = message.ingress === null ? this.#selfId : routerIdOfNode(message.ingress);
      if (origin !== undefined) this.#outbox.passOn(multicastLinks(table, origin, excluded), message);
    } else if (to.endpoint === 'qdrouter' && !this.#isCopy(message, view.topologyVersion, nowMs)) {
      this.#outbox.passOn(floodLinks(table, excluded), message);
    }
  }

  #budgetOf(link: number): RateBudget {
    const known = this.#budgets.get(link);
    if (known !== undefined) return known;
    const budget = new RateBudget(floodsInARow, floodRefillMs);
    this.#budgets.set(link, budget);
    return budget;
  }

  #isCopy(message: ControlMessage, topologyVersion: number, nowMs: number): boolean {
    const body: unknown = message.body;
    if (message.opcode !== 'RA' || !(body instanceof Map)) return false;
    const advertisement = parseRouterAdvertisement(message.body);
    if (advertisement === undefined) return false;
    return !this.#duplicates.admit(advertisement, message.trace.length, topologyVersion, nowMs);
  }

  expire(nowMs: number): void {
    this.#duplicates.expire(nowMs);
    for (const [link, budget] of this.#budgets) if (budget.isFull(nowMs)) this.#budgets.delete(link);
  }
}
