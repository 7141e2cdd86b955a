import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WeatherError } from '../../base/errors.ts';
import { AttachmentTable, formatRecord, parseJournal, type JournalRecord } from './journal.ts';
import type { Attachment } from './pod-network.ts';

const attachment: Attachment = {
  host: { name: 'cv2', mac: 'ee:00:00:00:00:02', mtu: 1418 },
  container: { name: 'eth0', mac: '02:00:00:00:00:02', mtu: 1418 },
  addresses: [{ address: '10.1.0.2/16', gateway: '10.1.0.1' }],
  routes: [{ destination: '0.0.0.0/0', gateway: '10.1.0.1' }],
  dns: { nameservers: ['10.1.0.3'], domain: 'shop', search: [], options: [] },
};
const key = (containerId: string): JournalRecord['key'] => ({ containerId, ifname: 'eth0' });
const records: readonly JournalRecord[] = [
  { record: 'adding', key: key('a'), network: 'pods', netns: '/run/netns/a' },
  { record: 'adding', key: key('b'), network: 'pods', netns: '/run/netns/b' },
  { record: 'added', key: key('a'), attachment },
  { record: 'adding', key: key('c'), network: 'pods', netns: '/run/netns/c' },
  { record: 'added', key: key('c'), attachment },
  { record: 'deleting', key: key('c') },
  { record: 'adding', key: key('d'), network: 'pods', netns: '/run/netns/d' },
  { record: 'deleted', key: key('d') },
];

test('a journal that was written is read back, and the shortest one tells the same', () => {
  const read = parseJournal(records.map(formatRecord).join(''));
  assert.deepEqual(read, records);
  const table = new AttachmentTable(read);
  assert.deepEqual(
    table.states().map((state) => [state.key.containerId, state.phase]),
    [
      ['a', 'added'],
      ['b', 'adding'],
      ['c', 'deleting'],
    ],
  );
  assert.deepEqual(new AttachmentTable(table.records()).states(), table.states());
});

test('wherever the machine stops, what was whole is read', () => {
  const text = records.map(formatRecord).join('');
  for (let end = 0; end <= text.length; end++) {
    const whole = text.slice(0, end).split('\n').length - 1;
    assert.deepEqual(parseJournal(text.slice(0, end)), records.slice(0, whole));
  }
});

for (const line of ['', 'null', '[]', '{"record":"added"}', '{"record":"moved","key":{"containerId":"a","ifname":"b"}}']) {
  test(`a line in the middle that is no record is told: ${line}`, () => {
    const text = `${formatRecord(records[0]!)}${line}\n${formatRecord(records[1]!)}`;
    assert.throws(
      () => parseJournal(text),
      (error) => error instanceof WeatherError && error.code === 'cni-journal' && error.message.includes('line 2'),
    );
  });
}
