import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LogFilter } from './log-filter.ts';
import { lineLogger } from './line-log.ts';

test('levels hold by component and can change', () => {
  const lines: string[] = [];
  const filter = new LogFilter(
    lineLogger(
      (line) => lines.push(line),
      'debug',
      () => 0,
    ),
    'info',
  );
  const all = filter.logger;
  const link = all.child('link');
  const tcp = all.child('tcp backend');
  const say = (): string => {
    lines.length = 0;
    for (const logger of [all, link, tcp]) {
      logger.debug('d');
      logger.info('i');
      logger.error('e');
    }
    return lines.map((line) => line.trim().split(/\s+/).slice(2).join(' ')).join(', ');
  };
  assert.equal(say(), 'van: i, van: e, link: i, link: e, tcp backend: i, tcp backend: e');
  filter.configure(
    new Map([
      ['', 'error'],
      ['link', 'debug'],
      ['tcp', 'none'],
    ]),
  );
  assert.equal(say(), 'van: e, link: d, link: i, link: e');
  filter.configure(new Map());
  assert.equal(say(), 'van: i, van: e, link: i, link: e, tcp backend: i, tcp backend: e');
});
