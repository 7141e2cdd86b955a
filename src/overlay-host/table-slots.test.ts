import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '../base/log.ts';
import { StateStore } from './store/state-store.ts';
import { TableSlots } from './table-slots.ts';

test('each user has one slot, also after a new start, and a slot that was freed comes last', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'overlay-slots-'));
  context.after(() => rm(folder, { recursive: true }));
  await using store = await StateStore.open(folder, silentLogger);
  const slots = new TableSlots(store);
  assert.deepEqual([slots.of('subnet/5'), slots.of('subnet/900'), slots.of('egress/7'), slots.of('subnet/5')], [1, 2, 3, 1]);
  slots.keep('subnet/', new Set(['subnet/900']));
  assert.deepEqual([slots.of('subnet/900'), slots.of('egress/7'), slots.of('subnet/6')], [2, 3, 4]);
  const again = new TableSlots(store);
  assert.deepEqual([again.of('subnet/6'), again.of('egress/7'), again.of('subnet/1')], [4, 3, 5]);
  for (let user = 0; user < 4091; user++) assert.notEqual(again.of(`other/${user}`), undefined);
  assert.equal(again.of('one more'), undefined);
  again.keep('other/', new Set());
  assert.equal(again.of('one more'), 6);
});
