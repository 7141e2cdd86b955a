import { flagOf, hexOf, listOf, numberOf, objectOf, shapeOf, u32Of, type Shape } from '../control/json-reader.ts';

/*
 * Between daemons, each one message, beside the lists of records of the control:
 *
 *   {"trace":{"id":1,"ask":"find","vni":7,"address":"0000...","towards":"0000..."}}     {"traceAnswer":{"id":1,"found":{...}}}
 *   {"trace":{"id":2,"ask":"agent","vni":7,"address":"0000...","frame":"02aa..."}}      {"traceAnswer":{"id":2,"run":{...}}}
 *   {"trace":{"id":3,"ask":"transit","vni":7,"frame":"02aa..."}}                        {"traceAnswer":{"id":3,"refused":"..."}}
 *
 * They are not repeated: a program that runs twice counts twice.
 */

/** What a host does for a trace. Addresses are 32 hex digits, frames hex digits. */
export type TraceAsk =
  /** Where is the endpoint, and if it is at that host, what does its pod know of the way to `towards`? */
  | { readonly ask: 'find'; readonly vni: number; readonly address: string; readonly towards: string }
  /** Runs the agent on a frame of that endpoint's pod. */
  | { readonly ask: 'agent'; readonly vni: number; readonly address: string; readonly frame: string }
  /** Runs transit on a frame that comes from the underlay. */
  | { readonly ask: 'transit'; readonly vni: number; readonly frame: string };

export interface FoundPort {
  readonly mac: string;
  readonly gatewayMac: string;
  /** Of the family that was asked for; all zero when the subnet has none. */
  readonly gateway: string;
  /** The pod asks for the MAC of `towards` itself, not of its gateway. */
  readonly isOnLink: boolean;
}

export interface Found {
  /** Where it lives as far as that host knows; 0 = it does not know. */
  readonly hostId: number;
  /** None when it is not at that host. */
  readonly ports: readonly FoundPort[];
}

export interface LearntPath {
  readonly address: string;
  readonly hostId: number;
  readonly generation: number;
}

export interface ProgramRun {
  readonly program: string;
  readonly verdict: TraceVerdict;
  /** Reasons whose counters rose by this packet. */
  readonly counted: readonly string[];
  /** Other packets were counted in the same moment: some of `counted` may be theirs. */
  readonly isShared: boolean;
  /** Paths of the packet's two ends that are new or changed. */
  readonly learnt: readonly LearntPath[];
  /** As the program left it. */
  readonly frame: string;
  readonly durationNs: number;
}

/** `transmit`: back out of the link it came from. `redirect`: to another link of the host. */
export type TraceVerdict = 'drop' | 'pass' | 'transmit' | 'redirect' | 'unknown';

export type TraceAnswer = { readonly found: Found } | { readonly run: ProgramRun } | { readonly refused: string };

/** An Ethernet frame and its outer headers: more than a run in the kernel takes. */
const frameDigits = 8192;
const textLimit = 256;
const countedLimit = 64;
const portsLimit = 1;
const learntLimit = 4;

const vni = (value: unknown): number | undefined => numberOf(value, 0xffffff);
const address = (value: unknown): string | undefined => hexOf(value, 32);
const mac = (value: unknown): string | undefined => hexOf(value, 12);
const text = (value: unknown): string | undefined => (typeof value === 'string' && value.length <= textLimit ? value : undefined);
const frame = (value: unknown): string | undefined =>
  typeof value === 'string' && value.length % 2 === 0 && value.length <= frameDigits ? hexOf(value, value.length) : undefined;
function oneOf<T extends string>(...names: readonly T[]): (value: unknown) => T | undefined {
  return (value) => names.find((name) => name === value);
}

const id = u32Of;
type Asks = { readonly [Kind in TraceAsk['ask']]: Shape<Extract<TraceAsk, { ask: Kind }> & { readonly id: number }> };
const asks: Asks = {
  find: { id, ask: oneOf('find'), vni, address, towards: address },
  agent: { id, ask: oneOf('agent'), vni, address, frame },
  transit: { id, ask: oneOf('transit'), vni, frame },
};
const port: Shape<FoundPort> = { mac, gatewayMac: mac, gateway: address, isOnLink: flagOf };
const foundShape: Shape<Found> = { hostId: u32Of, ports: (value) => listOf(value, portsLimit, (item) => shapeOf(item, port)) };
const learnt: Shape<LearntPath> = { address, hostId: u32Of, generation: u32Of };
const runShape: Shape<ProgramRun> = {
  program: text,
  verdict: oneOf('drop', 'pass', 'transmit', 'redirect', 'unknown'),
  counted: (value) => listOf(value, countedLimit, text),
  isShared: flagOf,
  learnt: (value) => listOf(value, learntLimit, (item) => shapeOf(item, learnt)),
  frame,
  durationNs: u32Of,
};

export type TraceMessage =
  | { readonly kind: 'ask'; readonly id: number; readonly ask: TraceAsk }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: TraceAnswer };

/** Whether a message is one of a trace, not one of the control. */
export function isTraceMessage(message: string): boolean {
  return message.startsWith('{"trace');
}

export function formatTraceMessage(message: TraceMessage): string {
  const { id: number } = message;
  return JSON.stringify(
    message.kind === 'ask' ? { trace: { id: number, ...message.ask } } : { traceAnswer: { id: number, ...message.answer } },
  );
}

/** Undefined when it is not exactly what a host may send. Its octets must have been bounded before. */
export function parseTraceMessage(message: string): TraceMessage | undefined {
  let value: unknown;
  try {
    value = JSON.parse(message);
  } catch {
    return undefined;
  }
  const { trace, traceAnswer } = objectOf(value) ?? {};
  return trace === undefined ? parseAnswer(traceAnswer) : parseAsk(trace);
}

function parseAsk(value: unknown): TraceMessage | undefined {
  const kind = objectOf(value)?.['ask'];
  if (kind !== 'find' && kind !== 'agent' && kind !== 'transit') return undefined;
  const asked = shapeOf<TraceAsk & { readonly id: number }>(value, asks[kind]);
  if (asked === undefined) return undefined;
  const { id: number, ...ask } = asked;
  return { kind: 'ask', id: number, ask };
}

function parseAnswer(value: unknown): TraceMessage | undefined {
  const { id: number, ...rest } = objectOf(value) ?? {};
  const known = id(number);
  if (known === undefined || Object.keys(rest).length !== 1) return undefined;
  const found = shapeOf(rest['found'], foundShape);
  const run = shapeOf(rest['run'], runShape);
  const refused = text(rest['refused']);
  const answer = found !== undefined ? { found } : run !== undefined ? { run } : refused !== undefined ? { refused } : undefined;
  return answer === undefined ? undefined : { kind: 'answer', id: known, answer };
}
