import assert from 'node:assert/strict';
import { test } from 'node:test';
import { capturedMessages } from '../../test/golden/captured-messages.ts';
import { ValueReader } from '../amqp/value-reader.ts';
import { ValueWriter } from '../amqp/value-writer.ts';
import { ProtocolViolation } from '../base/errors.ts';
import type { ControlMessage, ControlValue } from '../routing/control-message.ts';
import { decodeControlMessage, encodeControlMessage } from './control-codec.ts';

function bytesOf(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'));
}

/** Maps as objects, so that a difference can be read. */
function plain(value: ControlValue): unknown {
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, entry]) => [key, plain(entry)]));
  return Array.isArray(value) ? (value as readonly ControlValue[]).map(plain) : value;
}

const expected: Record<string, readonly [opcode: string, to: string, trace: readonly string[], body: unknown]> = {
  hello: ['HELLO', 'amqp:/_local/qdhello', ['0/alpha'], { id: 'alpha', pv: 1, area: '0', instance: 1795229016, seen: ['beta'] }],
  routerAdvertisement: [
    'RA',
    'amqp:/_topo/0/all/qdrouter',
    ['0/alpha'],
    { id: 'alpha', pv: 1, area: '0', instance: 1795229016, ls_seq: 1, mobile_seq: 1 },
  ],
  linkStateRequestInTransit: ['LSR', 'amqp:/_topo/0/gamma/qdrouter', ['0/alpha', '0/beta'], { id: 'alpha', pv: 1, area: '0' }],
  linkStateUpdate: [
    'LSU',
    'amqp:/_topo/0/alpha/qdrouter',
    ['0/beta'],
    {
      id: 'beta',
      pv: 1,
      area: '0',
      instance: 1795229111,
      ls_seq: 2,
      ls: { id: 'beta', area: '0', ls_seq: 2, peers: { alpha: 2, gamma: 1 } },
    },
  ],
  mobileAddressRequest: ['MAR', 'amqp:/_topo/0/alpha/qdrouter.ma', ['0/beta'], { id: 'beta', pv: 2, area: '0', have_seq: 0 }],
  absoluteMobileAddressUpdate: [
    'MAU',
    'amqp:/_topo/0/beta/qdrouter.ma',
    ['0/alpha'],
    {
      id: 'alpha',
      pv: 2,
      area: '0',
      mobile_seq: 1,
      exist: [
        ['Msfe.OuAl6:0', 2, 0],
        ['Mvfcr.OuAl6:0', 2, 0],
      ],
    },
  ],
};

for (const [name, [opcode, to, trace, body]] of Object.entries(expected)) {
  test(`${name} of skupper-router is read, and what we write of it means the same`, () => {
    const message = decodeControlMessage(bytesOf(capturedMessages[name as keyof typeof capturedMessages]));
    assert.deepEqual([message.opcode, message.to, message.trace, plain(message.body)], [opcode, to, trace, body]);
    assert.equal(message.ingress, trace[0]);
    const { encoded: _, ...made } = message;
    const again = decodeControlMessage(encodeControlMessage(new ValueWriter(64), made));
    assert.deepEqual({ ...again, encoded: undefined }, { ...message, encoded: undefined });
  });
}

test('a message in transit goes on byte for byte behind its new annotations', () => {
  const message = decodeControlMessage(bytesOf(capturedMessages.linkStateRequestInTransit));
  const passed: ControlMessage = { ...message, trace: [...message.trace, '0/gamma'] };
  const again = decodeControlMessage(encodeControlMessage(new ValueWriter(64), passed));
  assert.deepEqual(again.trace, ['0/alpha', '0/beta', '0/gamma']);
  assert.deepEqual(again.encoded, message.encoded);
});

test('numbers have the types that the peer looks for: int in HELLO, long in MAU', () => {
  const write = (opcode: string, key: string, value: number): Uint8Array => {
    const bytes = encodeControlMessage(new ValueWriter(64), { to: 't', opcode, body: new Map([[key, value]]), ingress: null, trace: [] });
    const at = bytes.lastIndexOf(key.charCodeAt(key.length - 1));
    return bytes.subarray(at + 1);
  };
  assert.deepEqual([...write('HELLO', 'pv', 1)], [0x54, 1]);
  assert.deepEqual([...write('HELLO', 'instance', 0x6b010558)], [0x71, 0x6b, 1, 5, 0x58]);
  assert.deepEqual([...write('RA', 'instance', 0x8000_0000)], [0x81, 0, 0, 0, 0, 0x80, 0, 0, 0]);
  assert.deepEqual([...write('MAU', 'pv', 2)], [0x55, 2]);
});

test('what routing does not know becomes null', () => {
  const writer = new ValueWriter(64);
  encodeControlMessage(writer, { to: 't', opcode: 'X', body: new Map(), ingress: null, trace: [] });
  const start = encodeControlMessage(writer, { to: 't', opcode: 'X', body: new Map(), ingress: null, trace: [] });
  // The empty map at the end is replaced by a map with a binary.
  const bytes = new Uint8Array([...start.subarray(0, start.lastIndexOf(0x77) + 1), 0xc1, 7, 2, 0xa1, 1, 0x62, 0xa0, 1, 9]);
  assert.deepEqual(plain(decodeControlMessage(bytes).body), { b: null });
});

test('every message that is cut short is refused', () => {
  const bytes = bytesOf(capturedMessages.hello);
  for (let length = 0; length < bytes.length; length++) {
    assert.throws(() => decodeControlMessage(bytes.subarray(0, length)), ProtocolViolation, `${length} bytes`);
  }
  assert.equal(new ValueReader(bytes).end, bytes.length);
});

test('a message without an address is refused', () => {
  assert.throws(() => decodeControlMessage(Uint8Array.of(0, 0x53, 0x77, 0xc1, 1, 0)), ProtocolViolation);
});
