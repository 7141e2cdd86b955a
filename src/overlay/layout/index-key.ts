import { recordCodec, type RecordCodec } from './record.ts';

/** The key of the maps that are indexed by one number: `ports` and `devices` by ifindex, `hosts` by host id, `settings` by 0; also the
 * values of `host_ids` and `devices`. */
export interface Index {
  readonly index: number;
}

export const indexCodec: RecordCodec<Index> = recordCodec('index_key', [['index', 'u32']]);
