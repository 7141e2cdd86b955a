/** `node ask-once.ts HOST PORT`: one request; prints `answer BODY` (of an echo service: `answer echo`) or `failed REASON`. */
import { connect } from 'node:net';

/** An answer that takes longer is none. */
const timeoutMs = 3000;

const [host = '', port = ''] = process.argv.slice(2);
const socket = connect({ host, port: Number(port), noDelay: true });
let text = '';
socket.setTimeout(timeoutMs, () => socket.destroy(new Error('timeout')));
socket.once('connect', () => socket.write('GET /0 HTTP/1.1\r\nHost: fault\r\nConnection: close\r\n\r\n'));
socket.setEncoding('latin1').on('data', (piece: string) => {
  text += piece;
  if (!text.startsWith('GET ')) return;
  console.log('answer echo');
  socket.destroy();
});
socket.once('end', () => {
  const body = text.split('\r\n\r\n')[1];
  console.log(body === undefined || body === '' ? 'failed empty' : `answer ${body}`);
  socket.destroy();
});
socket.once('error', (error: NodeJS.ErrnoException) => console.log(`failed ${error.code ?? error.message}`));
