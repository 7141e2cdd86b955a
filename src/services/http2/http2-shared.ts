import type { Clock } from '../../base/clock.ts';
import type { EndOfTurn } from '../http/end-of-turn.ts';
import { OctetPool } from '../http1/octet-pool.ts';
import { FrameWriter } from './frame-writer.ts';
import { HeadReader } from './head-reader.ts';
import { HeadWriter } from './head-writer.ts';
import type { WebSocketKeys } from './websocket-keys.ts';

/** What the ends of HTTP/2 need of the host. */
export interface Http2Host {
  readonly clock: Clock;
  readonly turns: EndOfTurn;
  readonly keys: WebSocketKeys;
}

/** What the connections of one listener or pool share. */
export interface Http2Shared {
  readonly clock: Clock;
  readonly turns: EndOfTurn;
  readonly writer: FrameWriter;
  readonly heads: HeadReader;
  readonly headWriter: HeadWriter;
}

/** `maxListBytes`: see HeadReader. */
export function http2Shared({ clock, turns, keys }: Http2Host, maxListBytes: number): Http2Shared {
  const pool = new OctetPool();
  const writer = new FrameWriter(pool);
  return { clock, turns, writer, heads: new HeadReader(pool, maxListBytes, keys), headWriter: new HeadWriter(writer) };
}
