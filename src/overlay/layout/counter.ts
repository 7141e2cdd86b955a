import { recordCodec, type RecordCodec } from './record.ts';

/** What the data path counts. Below 64: why a packet was dropped (`untrusted` also counts options that were not believed). */
export const reason = {
  noPort: 1,
  spoofedMac: 2,
  spoofedAddress: 3,
  etherType: 4,
  malformed: 5,
  arp: 6,
  duplicateProbe: 7,
  multicast: 8,
  tooBig: 9,
  ttl: 10,
  noRoute: 11,
  noOwner: 12,
  noEndpoint: 13,
  unknownSource: 14,
  criticalOption: 15,
  loop: 16,
  untrusted: 17,
  internal: 18,
  fragment: 19,
  noBackend: 20,
  noIdentity: 21,
  policy: 22,
  delivered: 64,
  sentDirect: 65,
  sentViaOwner: 66,
  sentBack: 67,
  answered: 68,
  relayed: 69,
  translated: 70,
  restored: 71,
} as const;

export type Reason = keyof typeof reason;

/** The key of `counters`. */
export interface CounterKey {
  /** 0 where it was not known. */
  readonly vni: number;
  /** One of `reason`. */
  readonly reason: number;
}

export const counterKeyCodec: RecordCodec<CounterKey> = recordCodec('counter_key', [
  ['vni', 'u32'],
  ['reason', 'u32'],
]);

export interface Counter {
  readonly packets: bigint;
  /** Octets of the frames, as they came to the program. */
  readonly bytes: bigint;
}

export const counterCodec: RecordCodec<Counter> = recordCodec('counter', [
  ['packets', 'u64'],
  ['bytes', 'u64'],
]);

/** The sum over the CPUs: a value of `counters` holds one counter after the other, one for each CPU. */
export function sumCounters(perCpu: Uint8Array): Counter {
  let packets = 0n;
  let bytes = 0n;
  for (let offset = 0; offset < perCpu.length; offset += counterCodec.byteLength) {
    const counter = counterCodec.decode(perCpu.subarray(offset, offset + counterCodec.byteLength));
    packets += counter.packets;
    bytes += counter.bytes;
  }
  return { packets, bytes };
}
