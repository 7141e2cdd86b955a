import type { Reason } from '../layout/counter.ts';
import type { EndpointKey } from '../layout/endpoint.ts';
import type { RelayedEvent } from '../layout/event.ts';
import type { Path } from '../layout/path.ts';
import { endpointName, type Tables } from './tables.ts';

/** Where the packet goes. `transmit`: back out of the interface it came in by. */
export type Verdict =
  | { readonly kind: 'pass' | 'drop' | 'transmit' }
  | {
      readonly kind: 'redirect';
      readonly ifindex: number;
    };

/** What a program makes of one packet. */
export interface Outcome {
  readonly verdict: Verdict;
  /** As it leaves the program; of no meaning when it is dropped. */
  readonly frame: Uint8Array;
  /** Each counts one packet and the octets of the frame as it came. */
  readonly counts: readonly Count[];
  /** Paths that were written, by `endpointName`. */
  readonly paths: ReadonlyMap<string, Path>;
  readonly events: readonly RelayedEvent[];
}

export interface Count {
  readonly vni: number;
  readonly reason: Reason;
}

/** One packet's run through a program: collects what it does besides the verdict. */
export class Run {
  readonly tables: Tables;
  readonly frame: Uint8Array;
  readonly nowNs: bigint;
  /** 0 until it is known. */
  vni = 0;
  readonly #devicesOnly: boolean;
  readonly #counts: Count[] = [];
  readonly #paths = new Map<string, Path>();
  readonly #events: RelayedEvent[] = [];

  /** `devicesOnly`: redirects only to what is in `devices`, as XDP does. */
  constructor(tables: Tables, frame: Uint8Array, nowNs: bigint, devicesOnly: boolean) {
    this.#devicesOnly = devicesOnly;
    this.tables = tables;
    this.frame = frame;
    this.nowNs = nowNs;
  }

  key(address: Uint8Array): EndpointKey {
    return { vni: this.vni, address };
  }

  count(what: Reason): void {
    this.#counts.push({ vni: this.vni, reason: what });
  }

  writePath(key: EndpointKey, path: Path): void {
    this.#paths.set(endpointName(key), path);
  }

  /** The path as this run has left it. */
  path(key: EndpointKey): Path | undefined {
    const name = endpointName(key);
    return this.#paths.get(name) ?? this.tables.paths.get(name);
  }

  tell(event: RelayedEvent): void {
    this.#events.push(event);
  }

  pass(): Outcome {
    return this.#end({ kind: 'pass' }, this.frame);
  }

  drop(why: Reason): Outcome {
    this.count(why);
    return this.#end({ kind: 'drop' }, this.frame);
  }

  transmit(frame: Uint8Array, what: Reason): Outcome {
    this.count(what);
    return this.#end({ kind: 'transmit' }, frame);
  }

  redirect(ifindex: number, frame: Uint8Array, what: Reason): Outcome {
    if (this.#devicesOnly && !this.tables.devices.has(ifindex)) return this.drop('internal');
    this.count(what);
    return this.#end({ kind: 'redirect', ifindex }, frame);
  }

  #end(verdict: Verdict, frame: Uint8Array): Outcome {
    return { verdict, frame, counts: this.#counts, paths: this.#paths, events: this.#events };
  }
}
