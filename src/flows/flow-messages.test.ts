import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Descriptor } from '../amqp/constants.ts';
import { ValueReader } from '../amqp/value-reader.ts';
import { ValueWriter } from '../amqp/value-writer.ts';
import { ProtocolViolation } from '../base/errors.ts';
import { decodeHead } from '../forwarding/message-head.ts';
import { capturedFlowMessages } from '../../test/golden/captured-flow-messages.ts';
import { flowAddresses, isFlowIdentity, parseFlowAddress } from './flow-addresses.ts';
import { beaconMessage, flushMessage, heartbeatMessage, maxFlowMessageBytes, readFlowMessage, recordMessage } from './flow-messages.ts';
import type { RecordMessage } from './flow-messages.ts';
import { Attribute, RecordType } from './record-types.ts';

function captured(name: keyof typeof capturedFlowMessages): Uint8Array {
  return new Uint8Array(Buffer.from(capturedFlowMessages[name], 'hex'));
}

function recordsOf(name: keyof typeof capturedFlowMessages): RecordMessage {
  const message = readFlowMessage(captured(name));
  assert.equal(message.subject, 'RECORD');
  return message as RecordMessage;
}

test('messages of a real skupper-router are read', () => {
  assert.deepEqual(readFlowMessage(captured('beacon')), {
    subject: 'BEACON',
    to: 'mc/sfe.all',
    id: '4pRmn:0',
    sourceType: 'ROUTER',
    address: 'mc/sfe.4pRmn:0',
    direct: 'sfe.4pRmn:0',
  });
  assert.deepEqual(readFlowMessage(captured('heartbeat')), {
    subject: 'HEARTBEAT',
    to: 'mc/sfe.4pRmn:0',
    id: '4pRmn:0',
    wallMicroseconds: 1_795_267_419_361_195,
  });
  const { to, records } = recordsOf('records');
  assert.equal(to, 'mc/sfe.4pRmn:0');
  const { site, router, routerAccess, listener, connector } = RecordType;
  assert.deepEqual(
    records.map((record) => record.get(Attribute.recordType)),
    [site, router, routerAccess, listener, connector],
  );
  assert.equal(records[1]?.get(Attribute.name), '0/alpha');
  assert.equal(records[3]?.get(Attribute.vanAddress), 'web');
  assert.equal(recordsOf('linkRecords').records[0]?.get(Attribute.operStatus), 'up');
  assert.deepEqual(
    [...(recordsOf('changes').records[1] ?? [])],
    [
      [0, listener],
      [1, 'up47N:2'],
      [Attribute.flowCountL4, 1],
    ],
  );
  const [connection] = recordsOf('connection').records;
  assert.equal(connection?.get(Attribute.connector), '4pRmn:3');
  assert.equal(connection?.get(Attribute.octets), 69);
  assert.equal(recordsOf('request').records[0]?.get(Attribute.result), '200');
  const supplement = recordsOf('supplement');
  assert.equal(supplement.to, flowAddresses('up47N:0').supplements);
  assert.equal(supplement.records[0]?.get(Attribute.trace), '0/beta');
});

test('messages are written octet for octet as a real skupper-router writes them', () => {
  assert.deepEqual(beaconMessage(0, { id: '4pRmn:0', type: 'ROUTER' }).octets, captured('beacon'));
  assert.deepEqual(heartbeatMessage(2, '4pRmn:0', 1_795_267_419_361_195).octets, captured('heartbeat'));
  const { to, records } = recordsOf('records');
  assert.deepEqual(recordMessage(1, to, records).octets, captured('records'));
});

test('a router finds the address and the body of each message', () => {
  for (const { to, octets, bodyStart } of [
    beaconMessage(1, { id: 'abcde:0', type: 'ROUTER' }),
    heartbeatMessage(300, 'abcde:0', 1_795_267_419_361_195),
    recordMessage(3, 'mc/sfe.abcde:0.flows', [new Map([[0, 16]])]),
    flushMessage(2 ** 40, 'abcde:0'),
  ]) {
    const head = decodeHead(new ValueReader(octets));
    assert.equal(head.to, to);
    assert.equal(head.bodyStart, bodyStart);
  }
  assert.deepEqual(readFlowMessage(flushMessage(1, 'abcde:0').octets), { subject: 'FLUSH', to: 'sfe.abcde:0' });
});

/** As Skupper's controller writes it: names of properties are strings, and there are more sections. */
function controllersBeacon(): Uint8Array {
  const writer = new ValueWriter();
  writer.descriptor(Descriptor.header);
  writer.list();
  writer.boolean(false);
  writer.end(1);
  writer.descriptor(Descriptor.messageAnnotations);
  writer.map();
  writer.end(0);
  writer.descriptor(Descriptor.properties);
  writer.list();
  writer.null();
  writer.null();
  writer.string('mc/sfe.all');
  writer.string('BEACON');
  writer.end(4);
  writer.descriptor(Descriptor.applicationProperties);
  writer.map();
  writer.string('id');
  writer.string('controller-1');
  writer.string('sourceType');
  writer.string('CONTROLLER');
  writer.end(4);
  writer.descriptor(Descriptor.amqpValue);
  writer.null();
  return writer.take();
}

test('a controller of Skupper is understood, whatever else its messages have', () => {
  assert.deepEqual(readFlowMessage(controllersBeacon()), {
    subject: 'BEACON',
    to: 'mc/sfe.all',
    id: 'controller-1',
    sourceType: 'CONTROLLER',
    address: 'mc/sfe.controller-1',
    direct: 'sfe.controller-1',
  });
});

test('messages that are cut short, too long or without what they need are violations or say nothing', () => {
  for (const name of Object.keys(capturedFlowMessages) as (keyof typeof capturedFlowMessages)[]) {
    const bytes = captured(name);
    for (let length = 1; length < bytes.length; length++) {
      try {
        const message = readFlowMessage(bytes.subarray(0, length));
        assert.notEqual(message.subject, 'RECORD');
      } catch (error) {
        assert.ok(error instanceof ProtocolViolation, `${name} at ${length}`);
      }
    }
  }
  assert.throws(() => readFlowMessage(new Uint8Array(maxFlowMessageBytes + 1)), ProtocolViolation);
  const noBody = captured('records').subarray(0, 0x1f + 8);
  assert.throws(() => readFlowMessage(noBody), ProtocolViolation);
  assert.deepEqual(readFlowMessage(new Uint8Array(0)), { subject: '', to: '' });
});

test('addresses tell what is sent to them, and by whom', () => {
  const addresses = flowAddresses('abcde:0');
  assert.deepEqual(parseFlowAddress(addresses.beacons), { kind: 'beacons', id: '' });
  for (const kind of ['records', 'flows', 'logs', 'caravan', 'heartbeats'] as const) {
    assert.deepEqual(parseFlowAddress(addresses[kind]), { kind, id: 'abcde:0' });
  }
  assert.deepEqual(parseFlowAddress('mc/sfe.host.example'), { kind: 'records', id: 'host.example' });
  for (const other of ['', 'mc/sfe.', 'mc/sfe..flows', 'sfe.abcde:0', 'web', `mc/sfe.${'x'.repeat(257)}`]) {
    assert.equal(parseFlowAddress(other), undefined, other);
  }
});

test('identities of records are told from other correlation ids', () => {
  for (const identity of ['abcde:1', 'a+_-Z:123456789012345']) assert.ok(isFlowIdentity(identity));
  for (const other of [
    'abcde:01',
    'abcde:00',
    null,
    '',
    'abcde',
    'abcde:',
    'abcd:1',
    'abcdef:1',
    'abcde:x',
    'abcde.1',
    'abcde:1234567890123456',
    'ab de:1',
  ]) {
    assert.ok(!isFlowIdentity(other), String(other));
  }
});
