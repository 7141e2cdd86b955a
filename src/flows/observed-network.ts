import type { CollectedRecord, CollectedSource } from './collected-source.ts';
import { FlowCollector, type FlowListener, type ObservedMessage } from './flow-collector.ts';
import { NetworkModel, type NetworkModelOptions } from './network-model.ts';

/** What observers have: messages of records come in, and there is a model of the network. */
export class ObservedNetwork {
  readonly model: NetworkModel;
  readonly #collector: FlowCollector;
  #wallMs: number;

  constructor(options: NetworkModelOptions) {
    this.model = new NetworkModel(options);
    this.#wallMs = options.nowMs;
    const { model } = this;
    const wallMs = (): number => this.#wallMs;
    const listener: FlowListener = {
      sourceUp: (source: CollectedSource) => model.source(source.id, 'up', wallMs(), offsetMs(source)),
      sourceSilent: (source: CollectedSource) => model.source(source.id, 'silent', wallMs()),
      sourceGone: (source: CollectedSource) => model.source(source.id, 'gone', wallMs()),
      record: (source: CollectedSource, record: CollectedRecord) => {
        model.source(source.id, 'up', wallMs(), offsetMs(source));
        model.record(source.id, record.attributes, wallMs());
      },
    };
    this.#collector = new FlowCollector(listener);
  }

  /** Takes a message to an address of records. `nowMs` never goes back; `wallMs` is milliseconds since the epoch. */
  receive(message: ObservedMessage, nowMs: number, wallMs: number): void {
    this.#wallMs = wallMs;
    this.#collector.receive(message, nowMs, wallMs * 1000);
  }

  handleTimeout(nowMs: number, wallMs: number): void {
    this.#wallMs = wallMs;
    this.#collector.handleTimeout(nowMs);
  }

  nextDeadlineMs(): number {
    return this.#collector.nextDeadlineMs();
  }

  /** Messages that were not what they should be, and records that were not kept because there were too many. */
  get refused(): { readonly messages: number; readonly records: number } {
    return { messages: this.#collector.malformed, records: this.#collector.droppedRecords };
  }
}

function offsetMs({ clockOffsetMicroseconds }: CollectedSource): number {
  return clockOffsetMicroseconds / 1000;
}
