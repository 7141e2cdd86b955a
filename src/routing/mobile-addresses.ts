import type { ControlValue } from './control-message.ts';
import { limits } from './limits.ts';
import { addressDescription, isMobileKey, type AnnouncedAddress, type MobileAddressUpdate } from './message-body.ts';
import { Treatment } from './route-table.ts';

interface LocalAddress {
  readonly treatment: Treatment;
  readonly producers: number;
}

/** A change of this router's addresses, to be sent to all others. */
export interface AddressChange {
  readonly add: readonly ControlValue[];
  readonly del: readonly string[];
}

/**
 * The addresses with consumers at this router: as they are, and as the other routers have been told. The difference is the next
 * update; whoever asks for everything gets what the others have been told, so that the next update fits for him too.
 */
export class LocalAddresses {
  readonly #current = new Map<string, LocalAddress>();
  readonly #announced = new Map<string, LocalAddress>();
  readonly #pending = new Set<string>();
  #sequence: number;

  /** The first update has the sequence after `sequenceStart`. */
  constructor(sequenceStart: number) {
    this.#sequence = sequenceStart;
  }

  /** Sequence of the last update. */
  get sequence(): number {
    return this.#sequence;
  }

  get hasChanges(): boolean {
    return this.#pending.size > 0;
  }

  treatmentOf(key: string): Treatment | undefined {
    return this.#current.get(key)?.treatment;
  }

  /** A consumer appeared, or what is said of its address changed. */
  set(key: string, treatment: Treatment, producers: number): 'noted' | 'no room' | 'not for others' {
    if (!isMobileKey(key)) return 'not for others';
    if (!this.#current.has(key) && this.#current.size >= limits.addressesPerRouter) return 'no room';
    this.#current.set(key, { treatment, producers });
    this.#reconsider(key);
    return 'noted';
  }

  delete(key: string): void {
    this.#current.delete(key);
    this.#reconsider(key);
  }

  /** Takes the pending change and advances the sequence. Only to be called if there are changes. */
  takeChange(): AddressChange {
    const add: ControlValue[] = [];
    const del: string[] = [];
    for (const key of this.#pending) {
      const address = this.#current.get(key);
      if (address === undefined) {
        this.#announced.delete(key);
        del.push(key);
      } else {
        this.#announced.set(key, address);
        add.push(addressDescription(key, address.treatment, address.producers));
      }
    }
    this.#pending.clear();
    this.#sequence++;
    return { add, del };
  }

  /** Everything announced so far. */
  announced(): ControlValue[] {
    return [...this.#announced].map(([key, { treatment, producers }]) => addressDescription(key, treatment, producers));
  }

  #reconsider(key: string): void {
    const current = this.#current.get(key);
    const announced = this.#announced.get(key);
    if (current?.treatment === announced?.treatment && current?.producers === announced?.producers) this.#pending.delete(key);
    else this.#pending.add(key);
  }
}

/** What became of an update of another router. */
export type UpdateOutcome = 'applied' | 'gap' | 'stale' | 'applied in part';

interface RemoteAddresses {
  sequence: number;
  readonly treatments: Map<string, Treatment>;
}

/** The addresses of the other routers: which routers have consumers of each, and the treatment each of them suggests. */
export class AddressDirectory {
  readonly #byRouter = new Map<string, RemoteAddresses>();
  /** Hash key -> router id -> suggested treatment. */
  readonly #byKey = new Map<string, Map<string, Treatment>>();
  readonly #changed = new Set<string>();
  #pairs = 0;

  /** Sequence of the last update applied from a router; 0 if none. */
  sequenceOf(routerId: string): number {
    return this.#byRouter.get(routerId)?.sequence ?? 0;
  }

  countOf(routerId: string): number {
    return this.#byRouter.get(routerId)?.treatments.size ?? 0;
  }

  keys(): Iterable<string> {
    return this.#byKey.keys();
  }

  routersOf(key: string): ReadonlyMap<string, Treatment> | undefined {
    return this.#byKey.get(key);
  }

  /** Counts a known key as changed: its treatment depends on this router's own consumers. */
  touch(key: string): void {
    if (this.#byKey.has(key)) this.#changed.add(key);
  }

  /** Keys whose routers or treatments have changed since the last call. */
  takeChanged(): string[] {
    const changed = [...this.#changed];
    this.#changed.clear();
    return changed;
  }

  get hasChanges(): boolean {
    return this.#changed.size > 0;
  }

  /**
   * Applies an update. A differential one must follow directly on the last (`gap` otherwise: the whole set must be requested);
   * an absolute one that is older than what is known is `stale`.
   */
  apply(update: MobileAddressUpdate): UpdateOutcome {
    const known = this.#byRouter.get(update.id) ?? { sequence: 0, treatments: new Map<string, Treatment>() };
    if (update.mobileSequence < known.sequence) return 'stale';
    if (!update.absolute && update.mobileSequence === known.sequence) return 'stale';
    if (!update.absolute && update.mobileSequence !== known.sequence + 1) return 'gap';
    this.#byRouter.set(update.id, known);
    known.sequence = update.mobileSequence;
    if (update.absolute) {
      const kept = new Set(update.add.map(({ key }) => key));
      for (const key of known.treatments.keys()) if (!kept.has(key)) this.#delete(update.id, known, key);
    }
    let refused = 0;
    for (const address of update.add) if (!this.#set(update.id, known, address)) refused++;
    for (const key of update.del) this.#delete(update.id, known, key);
    return refused > 0 ? 'applied in part' : 'applied';
  }

  /** Addresses that a router's signed records have gained and lost. False if there was no room for some. */
  change(routerId: string, add: ReadonlyMap<string, Treatment>, del: Iterable<string>): boolean {
    const known = this.#byRouter.get(routerId) ?? { sequence: 0, treatments: new Map<string, Treatment>() };
    for (const key of del) this.#delete(routerId, known, key);
    let complete = true;
    for (const [key, treatment] of add) if (!this.#set(routerId, known, { key, treatment })) complete = false;
    if (known.treatments.size > 0) this.#byRouter.set(routerId, known);
    else this.#byRouter.delete(routerId);
    return complete;
  }

  /** Forgets all addresses of a router; the next update from it starts anew. */
  flush(routerId: string): void {
    const known = this.#byRouter.get(routerId);
    if (known === undefined) return;
    for (const key of known.treatments.keys()) this.#delete(routerId, known, key);
    this.#byRouter.delete(routerId);
  }

  #set(routerId: string, known: RemoteAddresses, address: AnnouncedAddress): boolean {
    const treatment = treatmentOfHint(address.treatment);
    const before = known.treatments.get(address.key);
    if (before === treatment) return true;
    if (before === undefined) {
      if (known.treatments.size >= limits.addressesPerRouter || this.#pairs >= limits.addressesInAll) return false;
      this.#pairs++;
    }
    known.treatments.set(address.key, treatment);
    const routers = this.#byKey.get(address.key) ?? new Map<string, Treatment>();
    routers.set(routerId, treatment);
    this.#byKey.set(address.key, routers);
    this.#changed.add(address.key);
    return true;
  }

  #delete(routerId: string, known: RemoteAddresses, key: string): void {
    if (!known.treatments.delete(key)) return;
    this.#pairs--;
    this.#changed.add(key);
    const routers = this.#byKey.get(key);
    routers?.delete(routerId);
    if (routers?.size === 0) this.#byKey.delete(key);
  }
}

/** What a router suggests, or the default (balanced) where it suggests nothing that is known here. */
export function treatmentOfHint(hint: number): Treatment {
  const known: readonly number[] = Object.values(Treatment);
  return known.includes(hint) ? (hint as Treatment) : Treatment.balanced;
}
