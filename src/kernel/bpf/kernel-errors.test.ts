import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { test } from 'node:test';
import { errnoName, kernelError } from './kernel-errors.ts';

const { EPERM, EOPNOTSUPP, ENOLINK, EXDEV } = constants.errno;

test('an errno becomes words, its name and what to do', () => {
  const error = kernelError('bpf-load', 'agent.o cannot be loaded', -EPERM);
  assert.equal(error.code, 'bpf-load');
  assert.equal(error.message, 'agent.o cannot be loaded: not permitted (EPERM)');
  assert.match(error.remedy ?? '', /CAP_BPF/);
  assert.equal(kernelError('bpf-load', 'It', -EPERM, 'Ask somebody.').remedy, 'Ask somebody.');
  assert.equal(kernelError('bpf-attach', 'It', ENOLINK).remedy, undefined);
  assert.equal(kernelError('bpf-map', 'It', -EXDEV).message, 'It: EXDEV', 'no words for this one');
});

test('an errno has the name of the kernel’s manuals', () => {
  assert.equal(errnoName(-EPERM), 'EPERM');
  assert.equal(errnoName(EOPNOTSUPP), 'EOPNOTSUPP');
  assert.equal(errnoName(-524), 'ENOTSUPP');
  assert.match(errnoName(-4000), /4000/);
});
