import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OpenHandles } from './open-handles.ts';

test('what is open is known, and released once', () => {
  const handles = new OpenHandles();
  const released: string[] = [];
  const first = handles.add('first', () => released.push('first'));
  handles.add('second', () => released.push('second'));
  handles.add('third', () => released.push('third'));
  assert.deepEqual(handles.names(), ['first', 'second', 'third']);
  first();
  first();
  assert.deepEqual(released, ['first']);
  assert.deepEqual(handles.names(), ['second', 'third']);
  handles.closeAll();
  handles.closeAll();
  assert.deepEqual(released, ['first', 'third', 'second'], 'newest first');
  assert.deepEqual(handles.names(), []);
});
