import { FlowCollector } from '../../src/flows/flow-collector.ts';
import type { CollectedRecord } from '../../src/flows/flow-collector.ts';
import { Attribute } from '../../src/flows/record-types.ts';
import type { LineStream } from '../../src/host/line-server.ts';
import type { Router } from '../../src/router/router.ts';
import { FlowObservation } from '../../src/supervisor/flow-observation.ts';
import { siteClient } from '../../src/supervisor/site-client.ts';

export type Attributes = ReadonlyMap<number, number | string>;
type Conditions = Readonly<Partial<Record<keyof typeof Attribute, number | string>>>;

/** One line of OBSERVE. */
interface ObservedLine {
  readonly to?: string;
  readonly subject?: string;
  readonly payload?: string;
  readonly origin?: string;
  readonly lost?: number;
}

/** Flow records as an observer puts them together. Disposing ends the observation. */
export class FlowWatch implements Disposable {
  /** Everything that is known of each record, by identity. */
  readonly #records = new Map<string, { readonly type: number; readonly attributes: Attributes; readonly ended: boolean }>();
  messages = 0;
  lost = 0;
  readonly #collector: FlowCollector;
  readonly #ending = new AbortController();
  #observation: FlowObservation | undefined;
  /** Why the site told no more. */
  failure: unknown;

  private constructor() {
    const keep = ({ type, identity, attributes }: CollectedRecord, ended: boolean): void => {
      this.#records.set(identity, { type, attributes: new Map(attributes), ended });
    };
    this.#collector = new FlowCollector({
      sourceUp: () => undefined,
      sourceSilent: () => undefined,
      sourceGone: () => undefined,
      record: (_source, record, _isNew, isEnded) => keep(record, isEnded),
    });
  }

  /** Of a site, over its socket. */
  static ofSite(namespace: string, environment: NodeJS.ProcessEnv, attributes: { detail: boolean; logs: boolean }): FlowWatch {
    const watch = new FlowWatch();
    const take = (body: unknown): boolean => watch.#take(body as ObservedLine);
    siteClient(namespace, environment)
      .stream({ operation: 'OBSERVE', attributes }, take, watch.#ending.signal)
      .catch((error: unknown) => (watch.failure = error));
    return watch;
  }

  /** Of a router of this process. */
  static ofRouter(router: Router, options: { readonly detail: boolean; readonly logs: boolean }): FlowWatch {
    const watch = new FlowWatch();
    const client: LineStream = {
      send: (line) => watch.#take((JSON.parse(line) as { readonly body: ObservedLine }).body),
      endWith: () => undefined,
      closed: watch.#ending.signal,
    };
    const request = { id: 1, operation: 'OBSERVE', type: '', attributes: new Map() };
    watch.#observation = new FlowObservation(router, options, request, client, () => (watch.#observation = undefined));
    return watch;
  }

  #take({ lost, to, subject, payload, origin }: ObservedLine): boolean {
    if (lost !== undefined) this.lost += lost;
    if (to === undefined || subject === undefined || payload === undefined) return true;
    this.messages++;
    const message = { to, subject, payload: Buffer.from(payload, 'base64'), ...(origin === undefined ? {} : { origin }) };
    this.#collector.receive(message, performance.now(), Date.now() * 1000);
    return true;
  }

  /** Records of a type whose attributes are as given; of those that have ended, or all. */
  find(type: number, wanted: Conditions = {}, ended = false): Attributes[] {
    const conditions = Object.entries(wanted) as [keyof typeof Attribute, number | string][];
    return [...this.#records.values()]
      .filter((record) => record.type === type && (!ended || record.ended))
      .filter(({ attributes }) => conditions.every(([name, value]) => attributes.get(Attribute[name]) === value))
      .map(({ attributes }) => attributes);
  }

  /** Sum of a number over records of a type. */
  sum(type: number, attribute: keyof typeof Attribute, wanted: Conditions = {}): number {
    let sum = 0;
    for (const attributes of this.find(type, wanted)) sum += Number(attributes.get(Attribute[attribute]) ?? 0);
    return sum;
  }

  /** Whether it still runs in this process. */
  get isObserving(): boolean {
    return this.#observation !== undefined;
  }

  [Symbol.dispose](): void {
    this.#ending.abort();
  }
}
