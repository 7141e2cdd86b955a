import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { reason as reasons } from '../layout/counter.ts';
import { formatAddress, parseAddress } from '../packet/address.ts';
import { arpOperation, encodeArp } from '../packet/arp.ts';
import { encodeEthernet, etherType } from '../packet/ethernet.ts';
import { encodeGeneve, genevePort } from '../packet/geneve.ts';
import { decodeIpv4, encodeWholeIpv4, ipProtocol } from '../packet/ipv4.ts';
import { encodeUdp } from '../packet/udp.ts';
import { risenCounters } from './risen.ts';
import { innerFrame } from './trace-frame.ts';
import { packetFrame, type TracePacket } from './trace-packet.ts';
import { handedOn, refusals } from './trace-reasons.ts';
import {
  formatTraceMessage,
  isTraceMessage,
  parseTraceMessage,
  type ProgramRun,
  type TraceAnswer,
  type TraceMessage,
} from './trace-record.ts';
import type { TraceReport } from './trace-report.ts';
import { mostSteps, walk, type TraceMap, type TraceQuestion } from './walk.ts';

const address = (text: string): Uint8Array => parseAddress(text)!;
const mac = Uint8Array.of(2, 0, 0, 0, 0, 1);
const packet: TracePacket = {
  source: address('10.0.0.2'),
  destination: address('10.0.0.3'),
  protocol: 'udp',
  sourcePort: 1000,
  port: 2000,
  bytes: 0,
};
const map: TraceMap = {
  selfId: 1,
  nameOf: (hostId) => `host${hostId}`,
  hostAt: (at) => Number(formatAddress(at).split('.')[3]),
  ownersOf: () => [3, 2],
};
const port = { mac: mac.toHex(), gatewayMac: mac.toHex(), gateway: address('10.0.0.1').toHex(), isOnLink: true };
const ran = (verdict: ProgramRun['verdict'], frame: Uint8Array, ...counted: string[]): TraceAnswer => ({
  run: { program: 'p', verdict, counted, isShared: false, learnt: [], frame: frame.toHex(), durationNs: 1 },
});
const answer = encodeEthernet({
  destination: mac,
  source: mac,
  type: etherType.arp,
  payload: encodeArp({
    operation: arpOperation.reply,
    senderMac: mac,
    senderAddress: packet.destination,
    targetMac: mac,
    targetAddress: packet.source,
  }),
});
const tunnelled = (hostId: number, inner: Uint8Array): Uint8Array => {
  const geneve = encodeGeneve({ control: false, protocol: etherType.transparentEthernet, vni: 7, options: [], payload: inner });
  const payload = encodeWholeIpv4({
    timeToLive: 4,
    protocol: ipProtocol.udp,
    source: address('192.0.2.1'),
    destination: address(`192.0.2.${hostId}`),
    payload: encodeUdp({ sourcePort: 50_000, destinationPort: genevePort, checksum: 0, payload: geneve }),
  });
  return encodeEthernet({ destination: mac, source: mac, type: etherType.ipv4, payload });
};

/** Walks with what `host` answers. */
function walked(host: (question: TraceQuestion) => TraceAnswer | undefined): { report: TraceReport; asked: TraceQuestion[] } {
  const asked: TraceQuestion[] = [];
  const steps = walk(7, packet, map);
  let given: TraceAnswer | undefined;
  for (;;) {
    const { done, value } = steps.next(given);
    if (done === true) return { report: value, asked };
    asked.push(value);
    given = host(value);
  }
}

test('the source is looked for here, then at the owners, then where they say', () => {
  const { report, asked } = walked(({ to, ask }) => {
    if (ask.ask !== 'find') return undefined;
    return { found: to === 5 ? { hostId: 5, ports: [port] } : { hostId: to === 2 ? 5 : 0, ports: [] } };
  });
  assert.deepEqual(
    asked.map(({ to, ask }) => `${to} ${ask.ask}`),
    ['1 find', '3 find', '2 find', '5 find', '5 agent'],
  );
  assert.deepEqual([report.outcome, report.host], ['unknown', 'host5']);
});

test('a packet that goes round ends after so many programs', () => {
  const { report } = walked(({ ask }) => {
    if (ask.ask === 'find') return { found: { hostId: 1, ports: [port] } };
    const isQuestion = isArp(ask.frame);
    return isQuestion ? ran('redirect', answer, 'answered') : ran('transmit', tunnelled(2, packetFrame(packet, mac, mac)), 'relayed');
  });
  assert.equal(report.outcome, 'unknown');
  assert.equal(report.steps.length, 1 + mostSteps);
});

const isArp = (frame: string): boolean => frame.slice(24, 28) === '0806';

test('what is counted below 64 and still handed on was refused; what is dropped says why', () => {
  const end = (verdict: ProgramRun['verdict'], ...counted: string[]): TraceReport =>
    walked(({ ask }) => {
      if (ask.ask === 'find') return { found: { hostId: 1, ports: [port] } };
      return isArp(ask.frame) ? ran('redirect', answer, 'answered') : ran(verdict, packetFrame(packet, mac, mac), ...counted);
    }).report;
  assert.deepEqual([end('redirect', 'noBackend').outcome, end('redirect', 'noBackend').reason], ['refused', 'noBackend']);
  assert.deepEqual([end('drop', 'policy').outcome, end('drop', 'policy').meaning], ['dropped', 'no policy lets it pass']);
  assert.equal(end('redirect', 'delivered', 'untrusted').outcome, 'delivered');
  assert.equal(end('drop').meaning, 'no counter says why');
  assert.equal(end('pass').outcome, 'passed');
});

test('every counter of the data path has words', () => {
  for (const [name, code] of Object.entries(reasons)) assert.ok(Object.hasOwn(code < 64 ? refusals : handedOn, name), name);
});

test('a packet has the length that is asked for, and right checksums', () => {
  for (const protocol of ['tcp', 'udp', 'icmp'] as const) {
    const frame = packetFrame({ ...packet, protocol, bytes: 100 }, mac, mac);
    assert.equal(frame.length, 14 + 100);
    assert.equal(decodeIpv4(frame.subarray(14))?.payload.length, 80);
    const long = packetFrame({ ...packet, source: address('fd00::2'), destination: address('fd00::3'), protocol, bytes: 1 }, mac, mac);
    assert.match(innerFrame(long)?.words ?? '', /fd00::2.* to fd00::3/);
  }
});

test('a counter that rose by this frame alone is told before others', () => {
  const count = (packets: bigint, bytes: bigint): { packets: bigint; bytes: bigint } => ({ packets, bytes });
  const before = new Map([['a', count(1n, 100n)]]);
  const both = new Map([
    ['a', count(2n, 160n)],
    ['b', count(3n, 300n)],
  ]);
  assert.deepEqual(risenCounters(before, both, 60), { counted: ['a'], isShared: false });
  assert.deepEqual(risenCounters(new Map(), new Map([['b', count(2n, 200n)]]), 60), { counted: ['b'], isShared: true });
  assert.deepEqual(risenCounters(before, before, 60), { counted: [], isShared: false });
});

test('messages are read as they are written, and nothing else is', () => {
  const hex = (bytes: number): fc.Arbitrary<string> =>
    fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((octets) => octets.toHex());
  const frame = fc.uint8Array({ maxLength: 200 }).map((octets) => octets.toHex());
  const vni = fc.nat(0xffffff);
  const run = fc.record<ProgramRun>({
    program: fc.constant('transit'),
    verdict: fc.constantFrom('drop', 'redirect'),
    counted: fc.array(fc.constantFrom('ttl', 'loop'), { maxLength: 3 }),
    isShared: fc.boolean(),
    learnt: fc.array(fc.record({ address: hex(16), hostId: vni, generation: vni }), { maxLength: 4 }),
    frame,
    durationNs: fc.nat(),
  });
  const id = fc.nat();
  const message: fc.Arbitrary<TraceMessage> = fc.oneof(
    fc.record({
      kind: fc.constant('ask' as const),
      id,
      ask: fc.record({ ask: fc.constant('find' as const), vni, address: hex(16), towards: hex(16) }),
    }),
    fc.record({
      kind: fc.constant('ask' as const),
      id,
      ask: fc.record({ ask: fc.constant('agent' as const), vni, address: hex(16), frame }),
    }),
    fc.record({ kind: fc.constant('ask' as const), id, ask: fc.record({ ask: fc.constant('transit' as const), vni, frame }) }),
    fc.record({ kind: fc.constant('answer' as const), id, answer: fc.record({ run }) }),
    fc.record({ kind: fc.constant('answer' as const), id, answer: fc.record({ refused: fc.string({ maxLength: 200 }) }) }),
  );
  fc.assert(
    fc.property(message, (one) => {
      const text = formatTraceMessage(one);
      assert.ok(isTraceMessage(text));
      assert.deepEqual(parseTraceMessage(text), structuredClone(one));
      assert.equal(parseTraceMessage(text.replace('"id"', '"ix"')), undefined);
    }),
  );
  fc.assert(fc.property(fc.json(), (text) => void parseTraceMessage(text)));
  for (const text of ['', '[]', '{"trace":1}', '{"traceAnswer":{"id":1}}', '{"traceAnswer":{"id":1,"found":{}}}']) {
    assert.equal(parseTraceMessage(text), undefined, text);
  }
});
