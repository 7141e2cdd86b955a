import { recordCodec, type RecordCodec } from './record.ts';

/** A record of the ring buffer `events`: an owner sent a packet on, so its sender does not know the way yet. */
export interface RelayedEvent {
  readonly vni: number;
  /** The host that sent the packet here. */
  readonly sourceHostId: number;
  /** The host it was sent on to, which has the destination. */
  readonly hostId: number;
  /** The destination's generation. */
  readonly generation: number;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
}

export const relayedEventCodec: RecordCodec<RelayedEvent> = recordCodec('relayed_event', [
  ['vni', 'u32'],
  ['sourceHostId', 'u32'],
  ['hostId', 'u32'],
  ['generation', 'u32'],
  ['source', 'address'],
  ['destination', 'address'],
]);
