import type { FlowSupplement } from './metering.ts';
import { isFlowIdentity } from './flow-addresses.ts';
import { Attribute, RecordType } from './record-types.ts';
import type { AttributeValue, RecordUpdate } from './record.ts';
import { plainRouterId } from './site-directory.ts';

/** Supplements that wait for the next time that records are sent: a fifth of a second's. */
const maxWaiting = 5000;

export interface SupplementSenderOptions {
  readonly sourceId: string;
  /** Adds to a record of this router. */
  readonly merge: (identity: string, attributes: ReadonlyMap<number, AttributeValue>) => void;
}

/** The type is that of a connection, the only one of which skupper-router takes supplements; ours go by the identity. */
function headOf(identity: string): Map<number, AttributeValue> {
  const head = new Map<number, AttributeValue>();
  head.set(Attribute.recordType, RecordType.transportFlow);
  return head.set(Attribute.identity, identity);
}

const headSize = 2;

function isKnownToAll(attribute: number): boolean {
  return attribute < 1000 && attribute !== Attribute.endTime;
}

/** What is for one router, which has begun the records. */
export interface Supplements {
  /** What its source calls itself, without the number. */
  readonly sourceId: string;
  /** From where the requests came; empty when that is not known. */
  readonly routerId: string;
  readonly records: readonly RecordUpdate[];
}

/** What this router adds to the records of others' clients: collected for each router that has begun them. */
export class SupplementSender implements FlowSupplement {
  readonly #options: SupplementSenderOptions;
  #waiting = new Map<string, Supplements & { readonly records: RecordUpdate[] }>();
  #count = 0;
  active = false;
  /** Those that were not sent, because there were too many. */
  dropped = 0;

  constructor(options: SupplementSenderOptions) {
    this.#options = options;
  }

  wants(correlationId: string | null): boolean {
    return this.active && isFlowIdentity(correlationId);
  }

  add(identity: string, attributes: ReadonlyMap<number, AttributeValue>): void {
    if (!this.active) return;
    const sourceId = identity.slice(0, identity.indexOf(':'));
    if (sourceId === this.#options.sourceId) {
      this.#options.merge(identity, attributes);
      return;
    }
    if (this.#count >= maxWaiting) {
      this.dropped++;
      return;
    }
    this.#count++;
    const routerId = firstRouterOf(attributes.get(Attribute.trace));
    const key = `${sourceId} ${routerId}`;
    let waiting = this.#waiting.get(key);
    if (waiting === undefined) {
      waiting = { sourceId, routerId, records: [] };
      this.#waiting.set(key, waiting);
    }
    const { records } = waiting;
    // What skupper-router does not know makes it refuse the whole record: that comes in one of its own, and with it the end.
    const known = headOf(identity);
    const own = headOf(identity);
    for (const [attribute, value] of attributes) (isKnownToAll(attribute) ? known : own).set(attribute, value);
    if (known.size > headSize) records.push(known);
    if (own.size > headSize) records.push(own);
  }

  take(): Iterable<Supplements> {
    const waiting = this.#waiting.values();
    if (this.#count > 0) this.clear();
    return waiting;
  }

  clear(): void {
    this.#waiting = new Map();
    this.#count = 0;
  }
}

/** The router that a message came from, by its way. */
function firstRouterOf(trace: AttributeValue | undefined): string {
  return typeof trace === 'string' ? plainRouterId(trace.split('|', 1)[0] ?? '') : '';
}
