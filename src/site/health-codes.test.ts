import assert from 'node:assert/strict';
import { test } from 'node:test';
import { healthCodeNames, healthCodes, type HealthCode } from './health-codes.ts';

test('no problem is, over however many steps, its own cause', () => {
  const done = new Set<HealthCode>();
  const visit = (code: HealthCode, path: readonly HealthCode[]): void => {
    assert.ok(!path.includes(code), [...path, code].join(' <- '));
    if (done.has(code)) return;
    const { dependsOn, dependsOnSame } = healthCodes[code];
    for (const cause of [...dependsOn, ...dependsOnSame]) visit(cause, [...path, code]);
    done.add(code);
  };
  for (const code of healthCodeNames) visit(code, []);
  assert.equal(done.size, healthCodeNames.length);
});

test('every row is complete, and says each thing once', () => {
  const texts = new Set<string>();
  for (const code of healthCodeNames) {
    const { expected, title, meaning, cure, dependsOn, dependsOnSame } = healthCodes[code];
    for (const text of [expected, title]) {
      assert.ok(text !== '' && !texts.has(text), `${code}: ${text}`);
      texts.add(text);
    }
    assert.match(meaning, /\.$/);
    assert.match(cure, /\.$/);
    assert.equal(new Set([...dependsOn, ...dependsOnSame]).size, dependsOn.length + dependsOnSame.length, code);
  }
});
