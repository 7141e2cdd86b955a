import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';

const page = `<!doctype html><meta charset="utf-8"><title>Chat</title>
<pre id="said"></pre><form><input id="text" autofocus> <button>Say</button></form>
<script>
  const socket = new WebSocket('ws://' + location.host + '/chat');
  socket.onmessage = ({ data }) => (said.textContent += data + '\\n');
  socket.onclose = ({ code, reason }) => (said.textContent += 'closed: ' + code + ' ' + reason + '\\n');
  document.forms[0].onsubmit = (event) => { event.preventDefault(); socket.send(text.value); text.value = ''; };
</script>`;

/** A server that knows nothing of the network: what one says all hear, and `/close` ends it for all. */
export class ChatServer {
  readonly #http = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' }).end(page);
  });
  readonly #sockets = new WebSocketServer({ server: this.#http });

  constructor() {
    this.#sockets.on('connection', (socket) => {
      socket.on('message', (message: Buffer, isBinary) => {
        for (const other of this.#sockets.clients) {
          if (message.toString() === '/close') other.close(4000, 'the chat is over');
          else if (other.readyState === WebSocket.OPEN) other.send(message, { binary: isBinary });
        }
      });
    });
  }

  /** The port. */
  async listen(host: string): Promise<number> {
    this.#http.listen(0, host);
    await once(this.#http, 'listening');
    return (this.#http.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
  }
}
