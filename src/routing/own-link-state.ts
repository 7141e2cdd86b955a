import type { ControlMap } from './control-message.ts';
import type { Neighbour } from './hello.ts';
import { isSmall, linkStateUpdateBody } from './message-body.ts';
import { RateBudget } from './rate-budget.ts';

/**
 * This router's own link state: its neighbours as the others have been told. It may lag behind the neighbours as they are, since
 * a flapping link must not make the whole network recompute without pause; the own paths never wait for it.
 */
export class OwnLinkState {
  readonly routerId: string;
  readonly instance: number;
  /** Changes are told at once, ten in a row, then ten a second; the loss of a neighbour is always told at once. */
  readonly #budget = new RateBudget(10, 100);
  #sequence: number;
  #peers: ReadonlyMap<string, number> = new Map();
  #site: ControlMap | undefined;
  #pending = false;
  readonly #gatherMs: number;
  /** When the first neighbours are told; undefined before there are any. */
  #gatheredAtMs: number | undefined;
  /** There is nobody to tell, and nobody has been told. */
  #alone = true;
  /** Somebody may still count on a link that is gone. */
  #urgent = false;

  /**
   * The first link state that is told has the sequence after `sequenceStart`. The first neighbours are told together when they come within
   * `gatherMs`: the links of a router that starts come up one after the other.
   */
  constructor(routerId: string, instance: number, sequenceStart: number, gatherMs: number) {
    this.routerId = routerId;
    this.instance = instance;
    this.#sequence = sequenceStart;
    this.#gatherMs = gatherMs;
  }

  get sequence(): number {
    return this.#sequence;
  }

  get site(): ControlMap | undefined {
    return this.#site;
  }

  /** Sets the site data; false if they are too large. */
  setSite(site: ControlMap | undefined): boolean {
    if (site !== undefined && !isSmall(site)) return false;
    this.#site = site;
    this.#pending = true;
    return true;
  }

  /** The neighbours are these from now on. */
  setNeighbours(neighbours: ReadonlyMap<string, Neighbour>): void {
    if (!sameCosts(neighbours, this.#peers)) this.#pending = true;
    if (isWorse(neighbours, this.#peers)) this.#urgent = true;
    this.#alone = neighbours.size === 0 && this.#peers.size === 0;
  }

  /** Puts the neighbours as they are under a new sequence, if there is a change and it may be told now. True if so. */
  advance(neighbours: ReadonlyMap<string, Neighbour>, nowMs: number): boolean {
    if (!this.#pending || this.#alone) return false;
    if (this.#peers.size === 0) this.#gatheredAtMs ??= nowMs + this.#gatherMs;
    if (nowMs < (this.#gatheredAtMs ?? nowMs)) return false;
    // A loss follows a gain that has been told within the budget: there cannot be more of them than of those.
    if (!this.#budget.take(nowMs) && !this.#urgent) return false;
    this.#pending = false;
    this.#urgent = false;
    this.#gatheredAtMs = undefined;
    this.#sequence++;
    this.#peers = costs(neighbours);
    return true;
  }

  /** When `advance` will do something. */
  dueMs(nowMs: number): number {
    if (!this.#pending || this.#alone) return Infinity;
    return this.#urgent ? nowMs : Math.max(this.#gatheredAtMs ?? nowMs, this.#budget.availableAtMs(nowMs));
  }

  body(): ControlMap {
    const { routerId, instance } = this;
    return linkStateUpdateBody({ id: routerId, instance, linkStateSequence: this.#sequence, peers: this.#peers, site: this.#site });
  }
}

/** Cost by neighbour id. */
export function costs(neighbours: ReadonlyMap<string, Neighbour>): Map<string, number> {
  return new Map([...neighbours].map(([id, { cost }]) => [id, cost]));
}

function sameCosts(neighbours: ReadonlyMap<string, Neighbour>, peers: ReadonlyMap<string, number>): boolean {
  if (neighbours.size !== peers.size) return false;
  for (const [id, { cost }] of neighbours) if (peers.get(id) !== cost) return false;
  return true;
}

/** Whether a link that has been told is gone or has become dearer. */
function isWorse(neighbours: ReadonlyMap<string, Neighbour>, peers: ReadonlyMap<string, number>): boolean {
  for (const [id, cost] of peers) if ((neighbours.get(id)?.cost ?? Infinity) > cost) return true;
  return false;
}
