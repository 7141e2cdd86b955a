import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { certificateTimeMs } from './certificate-time.ts';

/** `2026-11-21T12:00:00.000Z` as a certificate has it. */
function compact(iso: string): string {
  return iso.replace(/\.\d+Z$/, 'Z').replaceAll(/[-:T]/g, '');
}

test('every second from 1950 on is read as the platform reads it', () => {
  const seconds = fc.integer({ min: Date.UTC(1950, 0) / 1000, max: Date.UTC(9999, 11, 31) / 1000 });
  fc.assert(
    fc.property(seconds, (second) => {
      const text = compact(new Date(second * 1000).toISOString());
      assert.equal(certificateTimeMs(text, false), second * 1000);
      const year = Number(text.slice(0, 4));
      if (year < 2050) assert.equal(certificateTimeMs(text.slice(2), true), second * 1000);
    }),
    { numRuns: 2000 },
  );
});

test('days that there are not, and other texts, are no times', () => {
  assert.equal(certificateTimeMs('20240229000000Z', false), Date.UTC(2024, 1, 29));
  for (const text of ['20230229000000Z', '21000229000000Z', '20240001000000Z', '20241301000000Z', '20240100000000Z', '20240431000000Z']) {
    assert.equal(certificateTimeMs(text, false), undefined, text);
  }
  for (const text of [
    '20240101240000Z',
    '20240101006000Z',
    '20240101000060Z',
    '20240101000000',
    '202401010000Z',
    '20240101000000+0000',
    '',
  ]) {
    assert.equal(certificateTimeMs(text, false), undefined, text);
  }
  assert.equal(certificateTimeMs('20240101000000Z', true), undefined);
});
