import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LogEntity } from '../management/entities.ts';
import { logLevels } from './log-levels.ts';

function log(module: string, enable?: string): LogEntity {
  return { type: 'log', name: `log/${module}`, module, ...(enable === undefined ? {} : { enable }) };
}

test('log entities become levels of components', () => {
  assert.deepEqual([...logLevels([])], []);
  assert.deepEqual(
    [...logLevels([log('DEFAULT', 'warning+'), log('ROUTER_LS', 'debug+'), log('TCP_ADAPTOR', 'none'), log('PYTHON', 'info+')])],
    [
      ['', 'warn'],
      ['router', 'debug'],
      ['tcp', 'none'],
    ],
  );
  assert.deepEqual([...logLevels([log('CONN_MGR', 'error,debug'), log('SERVER', 'critical')])], [['link', 'error']]);
  assert.deepEqual([...logLevels([log('DEFAULT')])], []);
});
