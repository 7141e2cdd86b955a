import type { ServerResponse } from 'node:http';
import type { Clock } from '../base/clock.ts';
import { InputError } from '../base/errors.ts';
import { eventWindowMs } from './event-windows.ts';
import type { ObserverEvent, ObserverEvents } from './rest-handler.ts';
import { failure, type Answer } from './web-answer.ts';

/** Readers at a time: a few people with a few tabs each. */
const maxStreams = 32;
/** What a reader has not read yet. Beyond it events are dropped for that reader; one snapshot of 1,000 sites has about this much. */
const maxUnreadBytes: number = 1024 * 1024;
/** A reader that takes nothing for so long is cut. */
const stallLimitMs = 20_000;
/** Keeps proxies from closing a quiet stream, and finds readers that are gone. */
const keepAliveMs = 10_000;
/** How long a browser waits before it connects again. */
const retryMs = 3000;

/** One reader, and when it last took what was written. */
interface Stream {
  readonly response: ServerResponse;
  readonly subscription: Disposable;
  readonly isRead: () => void;
  stalledSinceMs: number | undefined;
  droppedRequests: number;
}

/** Server-sent events for browsers. Events are framed once for all readers. */
export class EventStreams implements Disposable {
  readonly #events: ObserverEvents;
  readonly #clock: Clock;
  readonly #streams: Set<Stream> = new Set<Stream>();
  readonly #frames: WeakMap<ObserverEvent, Buffer> = new WeakMap<ObserverEvent, Buffer>();
  readonly #timer: NodeJS.Timeout;

  constructor(events: ObserverEvents, clock: Clock) {
    this.#events = events;
    this.#clock = clock;
    this.#timer = setInterval(() => this.#keepAlive(), keepAliveMs);
  }

  get isFull(): boolean {
    return this.#streams.size >= maxStreams;
  }

  /**
   * Streams events to `response`, whose head has been set but not sent, until it closes or `ended` is aborted. `isRead`: it is still read.
   * `windowMs` is of `eventWindowMs`.
   */
  open(response: ServerResponse, windowMs: number, ended: AbortSignal, isRead: () => void): void {
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      connection: 'close',
    });
    response.write(`retry: ${retryMs}\n\n`);
    const waiting: ObserverEvent[] = [];
    let stream: Stream | undefined;
    const subscription = this.#events.subscribe((event) => {
      if (stream === undefined) waiting.push(event);
      else this.#send(stream, event);
    }, windowMs);
    const opened: Stream = { response, subscription, isRead, stalledSinceMs: undefined, droppedRequests: 0 };
    stream = opened;
    this.#streams.add(opened);
    for (const event of waiting) this.#send(opened, event);
    const end = (): void => {
      response.end('event: end\ndata: {"code":"session-over"}\n\n');
      this.#drop(opened);
      // Whoever does not even read the end gets no more time.
      setTimeout(() => response.destroy(), 1000).unref();
    };
    ended.addEventListener('abort', end, { once: true });
    response.on('drain', () => (opened.stalledSinceMs = undefined));
    response.once('close', () => {
      ended.removeEventListener('abort', end);
      this.#drop(opened);
    });
    if (ended.aborted) end();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    for (const stream of this.#streams) {
      this.#drop(stream);
      stream.response.destroy();
    }
  }

  #send(stream: Stream, event: ObserverEvent): void {
    if (stream.response.writableLength <= maxUnreadBytes) this.#write(stream, this.#frame(event));
    else if (event.name === 'request') stream.droppedRequests++;
  }

  #write(stream: Stream, frame: Buffer | string): void {
    if (stream.response.writableEnded || stream.response.destroyed) return;
    if (!stream.response.write(frame)) stream.stalledSinceMs ??= this.#clock.nowMs();
  }

  #frame(event: ObserverEvent): Buffer {
    const known = this.#frames.get(event);
    if (known !== undefined) return known;
    const frame = Buffer.from(`event: ${event.name}\ndata: ${event.json}\n\n`);
    this.#frames.set(event, frame);
    return frame;
  }

  #keepAlive(): void {
    const nowMs = this.#clock.nowMs();
    for (const stream of this.#streams) {
      if (stream.stalledSinceMs !== undefined) {
        if (nowMs - stream.stalledSinceMs >= stallLimitMs) stream.response.destroy();
        continue;
      }
      stream.isRead();
      if (stream.droppedRequests > 0) {
        this.#write(stream, `event: lost\ndata: {"flows":${stream.droppedRequests}}\n\n`);
        stream.droppedRequests = 0;
      }
      this.#write(stream, ': still here\n\n');
    }
  }

  #drop(stream: Stream): void {
    this.#streams.delete(stream);
    stream.subscription[Symbol.dispose]();
  }
}

/** The window that is asked for, or the answer when it is none. */
export function windowOf(query: URLSearchParams): number | Answer {
  try {
    return eventWindowMs(query);
  } catch (error) {
    if (error instanceof InputError) return failure(400, error.code, error.message);
    throw error;
  }
}
