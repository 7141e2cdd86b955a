import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../base/log.ts';
import { RecordedLog } from './recorded-log.ts';

test('warnings and errors are told with plain fields, and without what may be secret', () => {
  const told: string[] = [];
  const passed: string[] = [];
  const log = new RecordedLog(
    { ...silentLogger, info: (message) => void passed.push(message), child: () => silentLogger },
    (severity, text) => told.push(`${severity} ${text}`),
  );
  log.info('nothing to tell');
  log.warn('a thing', { count: 3, reason: new Error('why'), password: 'x', apiToken: 'y', list: [1], none: undefined });
  log.child('link').error('worse');
  log.error('long', { text: 'a'.repeat(1000) });
  assert.deepEqual(told.slice(0, 2), ['2 a thing count=3 reason=why', '3 link: worse']);
  assert.equal(told[2], `3 long text=${'a'.repeat(200)}`);
  assert.deepEqual(passed, ['nothing to tell']);
});
