import { recordCodec, type RecordCodec } from './record.ts';

/** `forward`: as the client sends; `answers`: as it is answered. */
export const flowDirection = { forward: 0, answers: 1 } as const;

/** A flow of a VPC, as its packets have it. The ports of an echo request are its identifier and 0, of the reply 0 and the identifier. */
export interface FlowKey {
  readonly vni: number;
  readonly protocol: number;
  readonly direction: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
}

export const flowKeyCodec: RecordCodec<FlowKey> = recordCodec('flow_key', [
  ['vni', 'u32'],
  ['protocol', 'u8'],
  ['direction', 'u8'],
  ['sourcePort', 'be16'],
  ['destinationPort', 'be16'],
  2,
  ['source', 'address'],
  ['destination', 'address'],
]);

/** TCP: the client has sent more than its SYN; one end has sent FIN or RST. The client is its own backend. */
export const translationState = { acknowledged: 1, closing: 2, hairpin: 4 } as const;

/** In `translations`: of a flow's packets the backend, of its answers the service's address and port. */
export interface Translation {
  /** On the kernel's monotonic clock; that of the answers counts for the flow. */
  readonly usedNs: bigint;
  readonly serviceId: number;
  /** Of the service when the backend was found good. */
  readonly generation: number;
  readonly address: Uint8Array;
  readonly port: number;
  /** Of `translationState`; kept with the answers. */
  readonly state: number;
}

export const translationCodec: RecordCodec<Translation> = recordCodec('translation', [
  ['usedNs', 'u64'],
  ['serviceId', 'u32'],
  ['generation', 'u32'],
  ['address', 'address'],
  ['port', 'be16'],
  ['state', 'u16'],
  4,
]);
