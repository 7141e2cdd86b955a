import { WeatherError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { hexOf } from '../../overlay/control/address.ts';
import { isSameFamily } from '../../overlay/trace/trace-frame.ts';
import type { TracePacket } from '../../overlay/trace/trace-packet.ts';
import {
  formatTraceMessage,
  isTraceMessage,
  parseTraceMessage,
  type TraceAnswer,
  type TraceAsk,
} from '../../overlay/trace/trace-record.ts';
import type { TraceReport } from '../../overlay/trace/trace-report.ts';
import { walk, type TraceMap } from '../../overlay/trace/walk.ts';
import type { TraceRunner } from '../data-path/trace-runner.ts';

export interface TracerOptions {
  readonly hostId: number;
  readonly runner: TraceRunner;
  /** Of all hosts, this one included. */
  readonly hosts: () => readonly { readonly hostId: number; readonly name: string; readonly address: string }[];
  readonly ownersOf: (vni: number, addressHex: string) => readonly number[];
  readonly send: (to: number, text: string) => void;
  readonly log: Logger;
}

/** An operator waits; a daemon that does not answer in this time is not there. */
const answerTimeoutMs = 1500;
const tracesAtATime = 8;
/** Of the operator's request to its answer: several steps that are not answered end it. */
const wholeTimeoutMs = 10_000;

/** Walks packets for operators of this host, and runs programs for the walks of others. */
export class Tracer implements Disposable {
  readonly #options: TracerOptions;
  readonly #waiting = new Map<number, { readonly from: number; readonly answered: (answer: TraceAnswer | undefined) => void }>();
  #underWay = 0;
  #lastId = 0;

  constructor(options: TracerOptions) {
    this.#options = options;
  }

  /** Throws WeatherError `busy` or `bad-request`. */
  async trace(vni: number, packet: TracePacket): Promise<TraceReport> {
    if (!isSameFamily(packet.source, packet.destination)) {
      throw new WeatherError('bad-request', 'source and destination must both be IPv4 or both be IPv6');
    }
    if (this.#underWay >= tracesAtATime) throw new WeatherError('busy', `${tracesAtATime} traces are under way`);
    this.#underWay++;
    try {
      return await this.#walk(vni, packet);
    } finally {
      this.#underWay--;
    }
  }

  /** A message of another host: true when it was one of a trace. */
  received(from: number, text: string): boolean {
    if (!isTraceMessage(text)) return false;
    const { runner, send, log } = this.#options;
    const message = parseTraceMessage(text);
    if (message === undefined) {
      log.warn('a host sent a malformed message', { hostId: from });
    } else if (message.kind === 'ask') {
      send(from, formatTraceMessage({ kind: 'answer', id: message.id, answer: runner.do(message.ask) }));
    } else {
      const waiting = this.#waiting.get(message.id);
      if (waiting?.from === from) waiting.answered(message.answer);
    }
    return true;
  }

  [Symbol.dispose](): void {
    for (const { answered } of this.#waiting.values()) answered(undefined);
  }

  async #walk(vni: number, packet: TracePacket): Promise<TraceReport> {
    const { hostId: selfId, runner } = this.#options;
    const endMs = performance.now() + wholeTimeoutMs;
    const steps = walk(vni, packet, this.#map());
    let answer: TraceAnswer | undefined;
    for (;;) {
      const { done, value } = steps.next(answer);
      if (done === true) return value;
      if (value.to === selfId) answer = runner.do(value.ask);
      else answer = performance.now() > endMs ? undefined : await this.#ask(value.to, value.ask);
    }
  }

  #ask(to: number, ask: TraceAsk): Promise<TraceAnswer | undefined> {
    const { promise, resolve } = Promise.withResolvers<TraceAnswer | undefined>();
    const id = (this.#lastId = (this.#lastId + 1) >>> 0);
    const timer = setTimeout(() => resolve(undefined), answerTimeoutMs);
    this.#waiting.set(id, { from: to, answered: resolve });
    this.#options.send(to, formatTraceMessage({ kind: 'ask', id, ask }));
    return promise.finally(() => {
      clearTimeout(timer);
      this.#waiting.delete(id);
    });
  }

  #map(): TraceMap {
    const { hostId: selfId, hosts, ownersOf } = this.#options;
    const all = hosts();
    const byAddress = new Map(all.map(({ address, hostId }) => [address, hostId]));
    const names = new Map(all.map(({ hostId, name }) => [hostId, name]));
    return {
      selfId,
      nameOf: (hostId) => names.get(hostId) ?? `host ${hostId}`,
      hostAt: (address) => byAddress.get(address.subarray(12).join('.')),
      ownersOf: (vni, address) => ownersOf(vni, hexOf(address)),
    };
  }
}
