import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { silentLogger, type Logger } from '../base/log.ts';
import { CountedWarnings } from './counted-warnings.ts';

function recording(): { log: Logger; lines: string[] } {
  const lines: string[] = [];
  const log: Logger = {
    ...silentLogger,
    warn: (message, fields) => void lines.push([message, ...Object.values(fields ?? {})].join(' ')),
  };
  return { log, lines };
}

test('a warning that is repeated is told once a minute, with how many more there were', () => {
  const { log, lines } = recording();
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    using warnings = new CountedWarnings(log);
    for (let count = 0; count < 1000; count++) warnings.warn('refused', 'expired');
    warnings.warn('refused', 'unknown root');
    assert.deepEqual(lines, ['refused expired', 'refused unknown root']);
    mock.timers.tick(60_000);
    assert.deepEqual(lines.splice(0), ['refused expired', 'refused unknown root', 'refused expired 999']);
    warnings.warn('refused', 'expired');
    warnings.warn('refused', 'expired');
    assert.deepEqual(lines.splice(0), ['refused expired']);
  } finally {
    mock.timers.reset();
  }
  assert.deepEqual(lines, ['refused expired 1'], 'the end tells what has been counted');
});

test('however many reasons are made up, the lines are few', () => {
  const { log, lines } = recording();
  {
    using warnings = new CountedWarnings(log);
    for (let count = 0; count < 10_000; count++) warnings.warn('refused', `made up ${count}`);
  }
  assert.equal(lines.length, 66);
  assert.deepEqual(lines.slice(-2), ['refused other reasons', 'refused other reasons 9935']);
});
