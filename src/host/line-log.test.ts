import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lineLogger } from './line-log.ts';

function lines(level: 'debug' | 'info' | 'warn' | 'error', run: (log: ReturnType<typeof lineLogger>) => void): string[] {
  const written: string[] = [];
  run(
    lineLogger(
      (line) => written.push(line),
      level,
      () => 0,
    ),
  );
  return written;
}

test('one line: time, level, component, message, fields', () => {
  assert.deepEqual(
    lines('info', (log) =>
      log.child('link').warn('link is down', { router: 'a b', tries: 3, reason: new Error('gone'), nothing: undefined }),
    ),
    ['1970-01-01T00:00:00.000Z warn  link: link is down router="a b" tries=3 reason="gone"\n'],
  );
});

test('levels below the chosen one are left out', () => {
  const all = (log: ReturnType<typeof lineLogger>): void => {
    log.debug('d');
    log.info('i');
    log.warn('w');
    log.error('e');
  };
  assert.deepEqual(
    (['debug', 'info', 'warn', 'error'] as const).map((level) => lines(level, all).length),
    [4, 3, 2, 1],
  );
});

test('values from the network neither break a line nor steer a terminal, and long ones are cut', () => {
  const [line] = lines('info', (log) => log.info('m', { id: 'a\nb\u001b[2J\u009b1m\u202e', long: 'x'.repeat(2000) }));
  assert.equal(line.trimEnd().split('\n').length, 1);
  for (const character of ['\u001b', '\u009b', '\u202e']) assert.ok(!line.includes(character));
  assert.ok(line.length < 700);
});

test('a value that JSON cannot say does not throw', () => {
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  assert.match(lines('info', (log) => log.info('m', { circle, big: 1n, fn: (): void => {} }))[0], /circle="object" big="bigint" fn=null/);
});
