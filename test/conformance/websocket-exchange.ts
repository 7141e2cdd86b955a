import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WebSocketCase } from './websocket-cases.ts';

const host = '127.0.0.1';
/** Of RFC 6455 §1.3. */
const key = 'dGhlIHNhbXBsZSBub25jZQ==';
const accept = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

/** A connection that has asked for WebSocket. */
export interface Upgraded {
  readonly head: string;
  /** All octets behind the head, when the connection has ended. */
  readonly rest: Promise<Buffer>;
  readonly socket: Socket;
}

/** Asks for WebSocket; `fields` are further lines of the request, each with its CR LF. */
export async function upgrade(port: number, path = '/echo', fields = ''): Promise<Upgraded> {
  const socket = connect({ host, port, allowHalfOpen: true, noDelay: true });
  socket.on('error', () => {});
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n${fields}\r\n`,
  );
  let octets = Buffer.alloc(0);
  let tell: (head: string) => void = () => {};
  const head = new Promise<string>((resolve) => (tell = resolve));
  let headLength = -1;
  socket.on('data', (piece: Buffer) => {
    octets = Buffer.concat([octets, piece]);
    if (headLength < 0 && octets.includes('\r\n\r\n')) {
      headLength = octets.indexOf('\r\n\r\n') + 4;
      tell(octets.toString('latin1', 0, headLength));
    }
  });
  const rest = new Promise<Buffer>((resolve) => {
    socket.once('end', () => socket.end());
    socket.once('close', () => {
      tell('');
      resolve(octets.subarray(headLength));
    });
  });
  return { head: await head, rest, socket };
}

/** What comes back to a case, until the server ends the connection. Throws when WebSocket is not spoken. */
export async function exchange(port: number, { sent, isChopped = false }: WebSocketCase, fields = ''): Promise<Buffer> {
  const { head, rest, socket } = await upgrade(port, '/echo', fields);
  if (!head.startsWith('HTTP/1.1 101 ') || !head.includes(accept)) throw new Error(`no WebSocket: ${head}`);
  if (isChopped) {
    for (const octet of sent) {
      socket.write(Buffer.from([octet]));
      await sleep(1);
    }
  } else socket.write(sent);
  return await rest;
}
