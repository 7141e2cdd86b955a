import { createHash, randomBytes } from 'node:crypto';
import type { WebSocketKeys } from '../services/http2/websocket-keys.ts';

/** Every server adds it to the key before it hashes it (RFC 6455 §1.3). */
const keySuffix = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const keyBytes = 16;

/** Keys of WebSockets with what the platform has for them. */
export const webSocketKeys: WebSocketKeys = {
  make: () => randomBytes(keyBytes).toString('base64'),
  proofOf: (key) =>
    createHash('sha1')
      .update(key + keySuffix)
      .digest('base64'),
};
