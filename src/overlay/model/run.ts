import type { Reason } from '../layout/counter.ts';
import type { EndpointKey } from '../layout/endpoint.ts';
import type { RelayedEvent } from '../layout/event.ts';
import type { Fragment } from '../layout/fragment.ts';
import type { Path } from '../layout/path.ts';
import type { FlowState } from '../layout/policy.ts';
import type { Translation } from '../layout/translation.ts';
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
  /** Flows that were written, by `flowName`. */
  readonly flows: ReadonlyMap<string, FlowState>;
  /** Translations that were written, by `flowName`; undefined when they were taken out. */
  readonly translations: ReadonlyMap<string, Translation | undefined>;
  /** First fragments that were written, by `fragmentName`. */
  readonly fragments: ReadonlyMap<string, Fragment>;
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
  readonly #translations = new Map<string, Translation | undefined>();
  readonly #fragments = new Map<string, Fragment>();
  readonly #flows = new Map<string, FlowState>();
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

  /** `vni`: of the VPC that it is counted for. */
  count(what: Reason, vni: number = this.vni): void {
    this.#counts.push({ vni, reason: what });
  }

  writePath(key: EndpointKey, path: Path): void {
    this.#paths.set(endpointName(key), path);
  }

  /** The path as this run has left it. */
  path(key: EndpointKey): Path | undefined {
    const name = endpointName(key);
    return this.#paths.get(name) ?? this.tables.paths.get(name);
  }

  writeTranslation(name: string, translation: Translation | undefined): void {
    this.#translations.set(name, translation);
  }

  /** The translation, by `flowName`, as this run has left it. */
  translation(name: string): Translation | undefined {
    return this.#translations.has(name) ? this.#translations.get(name) : this.tables.services?.translations.get(name);
  }

  writeFragment(name: string, fragment: Fragment): void {
    this.#fragments.set(name, fragment);
  }

  fragment(name: string): Fragment | undefined {
    return this.#fragments.get(name) ?? this.tables.fragments?.get(name);
  }

  writeFlow(name: string, state: FlowState): void {
    this.#flows.set(name, state);
  }

  /** The flow, by `flowName`, as this run has left it. */
  flow(name: string): FlowState | undefined {
    return this.#flows.get(name) ?? this.tables.policy?.flows.get(name);
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
    const written = { paths: this.#paths, flows: this.#flows, translations: this.#translations, fragments: this.#fragments };
    return { verdict, frame, counts: this.#counts, ...written, events: this.#events };
  }
}
