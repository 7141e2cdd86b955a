/**
 * As much of the NATS client protocol as request and reply need: text lines, and messages with a length. One connection at a time, to the
 * servers in turn; a lost one is replaced at once, and what is to be sent meanwhile waits, as in the clients that exist.
 */
import { connect } from 'node:net';
import type { Socket } from 'node:net';

export interface NatsMessage {
  readonly subject: string;
  readonly reply: string;
  readonly payload: string;
  /** Nobody listens to the subject of a request. */
  readonly isNoResponders: boolean;
}

/** Between two attempts while no server answers. */
const retryMs = 50;
/** What waits for a connection: ten seconds of requests. */
const maxWaiting = 10_000;

export class NatsConnection {
  readonly #host: string;
  readonly #ports: readonly number[];
  readonly #subscription: string;
  readonly #received: (message: NatsMessage) => void;
  readonly #waiting: string[] = [];
  #socket: Socket | undefined;
  #isReady = false;
  #attempts = 0;
  #text = '';
  /** Called when the first connection stands. */
  ready: (() => void) | undefined;

  /** `subscription` is what follows SUB: subject, queue group, id. */
  constructor(host: string, ports: readonly number[], subscription: string, received: (message: NatsMessage) => void) {
    this.#host = host;
    this.#ports = ports;
    this.#subscription = subscription;
    this.#received = received;
    this.#connect();
  }

  #connect(): void {
    const socket = connect({ host: this.#host, port: this.#ports[this.#attempts++ % this.#ports.length], noDelay: true });
    this.#socket = socket;
    this.#text = '';
    socket.setEncoding('latin1').on('data', (text: string) => this.#read(text));
    socket.on('error', () => undefined);
    socket.once('close', () => {
      const wasReady = this.#isReady;
      this.#isReady = false;
      // The other server at once; all of them gone: not in a busy loop.
      setTimeout(() => this.#connect(), wasReady ? 0 : retryMs);
    });
  }

  #read(text: string): void {
    this.#text += text;
    for (;;) {
      const end = this.#text.indexOf('\r\n');
      if (end === -1) return;
      const words = this.#text.slice(0, end).split(' ');
      const [verb] = words;
      if (verb === 'MSG' || verb === 'HMSG') {
        const length = Number(words.at(-1));
        if (this.#text.length < end + 2 + length + 2) return;
        const payload = this.#text.slice(end + 2, end + 2 + length);
        this.#text = this.#text.slice(end + 2 + length + 2);
        const numbers = verb === 'MSG' ? 1 : 2;
        const reply = words.length === 3 + numbers + 1 ? words[3] : '';
        this.#received({ subject: words[1], reply, payload, isNoResponders: verb === 'HMSG' && payload.includes(' 503') });
        continue;
      }
      this.#text = this.#text.slice(end + 2);
      if (verb === 'PING') this.#socket?.write('PONG\r\n');
      else if (verb === 'INFO' && !this.#isReady) this.#greet();
      else if (verb === 'PONG') this.#up();
    }
  }

  #greet(): void {
    const options = { verbose: false, pedantic: false, headers: true, no_responders: true, lang: 'rig', version: '1', protocol: 1 };
    this.#socket?.write(`CONNECT ${JSON.stringify(options)}\r\nSUB ${this.#subscription}\r\nPING\r\n`);
  }

  #up(): void {
    this.#isReady = true;
    this.ready?.();
    this.ready = undefined;
    for (const text of this.#waiting.splice(0)) this.#socket?.write(text);
  }

  publish(subject: string, reply: string, payload: string): void {
    const text = `PUB ${subject} ${reply === '' ? '' : `${reply} `}${payload.length}\r\n${payload}\r\n`;
    if (this.#isReady) this.#socket?.write(text);
    else if (this.#waiting.length < maxWaiting) this.#waiting.push(text);
  }
}
