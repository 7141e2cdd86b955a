import type { Forwarder } from '../../forwarding/forwarder.ts';
import { maxTraceLength } from '../../forwarding/router-annotations.ts';
import { InquiryAnswerer } from '../inquiry/inquiry-answerer.ts';
import { textField, textsField } from '../inquiry/inquiry-message.ts';
import type { InquiryFields } from '../inquiry/inquiry-message.ts';

/**
 * Every router answers pings of every member of its network, at its address `ping`:
 *
 *     question {}
 *     answer   {"router": id, "version": text, "trace": [id, ...]}      the routers that the question has passed, the asker first
 */
export const pingName = 'ping';

/** One person with a short interval, and the hops of a long way with each; all together what costs a router little. */
const limits = { perSecond: 50, burst: 100, allPerSecond: 500, allBurst: 1000 };

export interface PingAnswer {
  readonly version: string | undefined;
  /** Ids of the routers that the question has passed, the asker first. */
  readonly trace: readonly string[];
}

export function pingAnswerer(forwarder: Forwarder, version: string, nowMs: () => number): InquiryAnswerer {
  return new InquiryAnswerer({
    forwarder,
    limits,
    nowMs,
    answer: ({ trace }, reply) =>
      reply(
        new Map<string, string | readonly string[]>([
          ['router', forwarder.routerId],
          ['version', version],
          ['trace', trace],
        ]),
      ),
  });
}

export function readPingAnswer(body: InquiryFields): PingAnswer {
  return { version: textField(body, 'version'), trace: textsField(body, 'trace', maxTraceLength) };
}
