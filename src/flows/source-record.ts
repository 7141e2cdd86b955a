import { Attribute } from './record-types.ts';
import type { RecordType } from './record-types.ts';
import type { AttributeValue, RecordUpdate } from './record.ts';

/** Characters of a name, path or text of a log line that are told. */
export const maxToldText = 1024;

/** A record that a source tells of, with what of it has changed since it was told last. */
export class SourceRecord {
  readonly type: RecordType;
  readonly identity: string;
  readonly #attributes = new Map<number, AttributeValue>();
  /** Undefined: nothing has been told yet, or all must be told again. */
  #changed: Set<number> | undefined;
  /** Whether it stands in a queue to be told. */
  isQueued = false;

  constructor(type: RecordType, identity: string) {
    this.type = type;
    this.identity = identity;
    this.#attributes.set(Attribute.recordType, type);
    this.#attributes.set(Attribute.identity, identity);
  }

  get(attribute: number): AttributeValue | undefined {
    return this.#attributes.get(attribute);
  }

  /** Numbers are whole and not negative on the wire; texts are cut. True when the value is another than before. */
  set(attribute: number, value: AttributeValue, maxText: number = maxToldText): boolean {
    const told = typeof value === 'string' ? cut(value, maxText) : whole(value);
    if (this.#attributes.get(attribute) === told) return false;
    this.#attributes.set(attribute, told);
    this.#changed?.add(attribute);
    return true;
  }

  /** All of it is told next time. */
  forgetTold(): void {
    this.#changed = undefined;
  }

  get hasNews(): boolean {
    return this.#changed === undefined || this.#changed.size > 0;
  }

  /** What is to be told; from now on it counts as told. */
  takeUpdate(): RecordUpdate {
    const changed = this.#changed;
    this.#changed = new Set();
    // A view of what changes later would be told wrongly: the message is written before the record changes again.
    if (changed === undefined) return this.#attributes;
    const update = new Map<number, AttributeValue>([
      [Attribute.recordType, this.type],
      [Attribute.identity, this.identity],
    ]);
    for (const attribute of changed) update.set(attribute, this.#attributes.get(attribute) as AttributeValue);
    return update;
  }
}

function cut(text: string, length: number): string {
  return text.length > length ? text.slice(0, length) : text;
}

function whole(value: number): number {
  return value > 0 ? Math.min(Math.round(value), Number.MAX_SAFE_INTEGER) : 0;
}
