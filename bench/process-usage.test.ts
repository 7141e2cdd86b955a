import assert from 'node:assert/strict';
import { test } from 'node:test';

import { cpuTime, parseCpuTime, residentKiB } from './process-usage.ts';

test('user and system time are read past a process name with spaces and parentheses', () => {
  const stat = '42 (a (b) c) S 1 42 42 0 -1 4194560 1000 0 10 0 1234 567 0 0 20 0 11 0 100 1000000 500';
  assert.deepEqual(parseCpuTime(stat), { userSeconds: 12.34, systemSeconds: 5.67 });
});

test('this process is seen using the CPU and memory', { skip: process.platform !== 'linux' && 'reads /proc' }, () => {
  const before = cpuTime([process.pid]);
  const endMs = Date.now() + 150;
  while (Date.now() < endMs);
  const after = cpuTime([process.pid, process.pid]);
  assert.ok(after.userSeconds + after.systemSeconds > before.userSeconds + before.systemSeconds + 0.1);
  assert.ok(residentKiB(process.pid) > 10_000);
});
