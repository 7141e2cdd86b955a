/**
 * The HTTP server behind a service: answers `GET /<id>` with its own name and remembers the id, so that of a request that failed it can be
 * told whether it had reached a server. The connection is closed after each answer.
 *
 * `node backend.ts NAME PORT [DELAY_MS]`; on the message channel `ids` gives the ids seen so far.
 */
import { createServer } from 'node:net';
import type { Socket } from 'node:net';

const [name = '', port = '', delayMs = '0'] = process.argv.slice(2);
const ids: number[] = [];
/** Requests of the rig's load have some 60 octets. */
const maxRequestBytes = 4096;
const answer = Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${name.length}\r\nConnection: close\r\n\r\n${name}`);

function serve(socket: Socket): void {
  let text = '';
  socket.on('error', () => socket.destroy());
  socket.setEncoding('latin1').on('data', (piece: string) => {
    text += piece;
    if (!text.includes('\r\n\r\n')) {
      if (text.length > maxRequestBytes) socket.destroy();
      return;
    }
    const id = /^GET \/(\d+) /.exec(text)?.[1];
    if (id !== undefined) ids.push(Number(id));
    text = '';
    if (delayMs === '0') socket.end(answer);
    else setTimeout(() => socket.end(answer), Number(delayMs));
  });
}

const server = createServer({ noDelay: true }, serve);
server.listen(Number(port), '0.0.0.0', 1024, () => console.log('listening'));
process.on('message', () => process.send?.(ids));
process.once('SIGTERM', () => process.exit(0));
