import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import fc from 'fast-check';
import { commandLine, inNamespace, shellWord } from './command-line.ts';

test('options without a value are left out', () => {
  assert.equal(
    commandLine(['van', 'tap', 'web'], { method: 'GET', path: '', status: null, to: 'site 1' }),
    "van tap web --method GET --to 'site 1'",
  );
  assert.equal(inNamespace('van stat', 'west'), 'van -n west stat');
  assert.equal(inNamespace('van stat', '$&'), "van -n '$&' stat");
});

test('a shell reads every word as it was', () => {
  const words = [
    ...fc.sample(fc.string({ minLength: 1, unit: 'grapheme' }), 200),
    "it's",
    '$(touch /x)',
    '-n',
    '`id`',
    'a\nb',
    '!!',
  ].filter((word) => !word.includes('\0'));
  const read = execFileSync('sh', ['-c', `printf '%s\\0' ${words.map(shellWord).join(' ')}`]).toString();
  assert.deepEqual(read.split('\0').slice(0, -1), words);
});
