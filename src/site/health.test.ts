import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { healthCodeNames, healthCodes } from './health-codes.ts';
import { checkReport } from './health-report.ts';
import { healthWarning, rootCauses, type HealthSubject, type HealthWarning } from './health.ts';

const subject: fc.Arbitrary<HealthSubject> = fc.record({
  kind: fc.constantFrom('site', 'link', 'router', 'address', 'resource'),
  name: fc.constantFrom('', 'a', 'b'),
});

const warning: fc.Arbitrary<HealthWarning> = fc
  .tuple(fc.constantFrom(...healthCodeNames), subject, fc.array(subject, { maxLength: 2 }))
  .map(([code, about, related]) => healthWarning(code, { subject: about, related, text: `${code} ${about.name}`, remedy: 'none' }));

const warnings = fc.array(warning, { maxLength: 12 });

test('every warning is shown as a cause or counted with exactly one, and something is shown if anything is wrong', () => {
  fc.assert(
    fc.property(warnings, (all) => {
      const roots = rootCauses(all);
      const told = roots.flatMap((root) => [root.warning, ...root.follows]);
      assert.equal(told.length, all.length);
      assert.deepEqual(new Set(told), new Set(all));
      assert.equal(roots.length === 0, all.length === 0);
    }),
  );
});

test('a cause is never suppressed by what it causes, and what follows could not be a cause itself', () => {
  fc.assert(
    fc.property(warnings, (all) => {
      const roots = rootCauses(all);
      const codes = new Set(all.map(({ code }) => code));
      for (const { warning: root, follows } of roots) {
        // Nothing that explains it in any case is there.
        for (const cause of healthCodes[root.code].dependsOn) assert.ok(!codes.has(cause) || cause === root.code);
        for (const { code } of follows) assert.ok(isReachable(root.code, code), `${root.code} does not lead to ${code}`);
      }
    }),
  );
});

function isReachable(from: string, to: string): boolean {
  const { dependsOn, dependsOnSame } = healthCodes[to as keyof typeof healthCodes];
  return [...dependsOn, ...dependsOnSame].some((cause) => cause === from || isReachable(from, cause));
}

test('taking away a cause shows what followed from it, and the order of the warnings does not matter', () => {
  fc.assert(
    fc.property(warnings, (all) => {
      const shown = (list: readonly HealthWarning[]): readonly string[] =>
        rootCauses(list)
          .map(({ warning: root }) => JSON.stringify(root))
          .sort();
      assert.deepEqual(shown(all.toReversed()), shown(all));
      const [first] = rootCauses(all);
      if (first === undefined) return;
      const rest = all.filter((other) => other.code !== first.warning.code);
      assert.equal(rootCauses(rest).flatMap((root) => [root.warning, ...root.follows]).length, rest.length);
    }),
  );
});

const site: HealthSubject = { kind: 'site', name: '' };
const link = (name: string): HealthSubject => ({ kind: 'link', name });

function about(code: HealthWarning['code'], on: HealthSubject, related: readonly HealthSubject[] = []): HealthWarning {
  return healthWarning(code, { subject: on, related, text: code, remedy: 'none' });
}

test('a link that is down because the certificate has ended because the clock is wrong: only the clock is shown', () => {
  const roots = rootCauses([
    about('address-without-connector', { kind: 'address', name: 'db' }),
    about('link-down', link('to-west')),
    about('certificate-ended', site),
    about('clock-differs', site),
  ]);
  assert.deepEqual(
    roots.map(({ warning: root, follows }) => [root.code, follows.map(({ code }) => code)]),
    [['clock-differs', ['certificate-ended', 'link-down', 'address-without-connector']]],
  );
});

test('what concerns another link explains nothing', () => {
  const roots = rootCauses([
    about('link-down', link('to-west')),
    about('link-down', link('to-east')),
    about('link-endpoint-unreachable', link('to-west')),
  ]);
  assert.deepEqual(
    roots.map(({ warning: root, follows }) => [root.code, root.subject.name, follows.length]),
    [
      ['link-endpoint-unreachable', 'to-west', 1],
      ['link-down', 'to-east', 0],
    ],
  );
});

test('a quarantined router explains the link that leads to it', () => {
  const peer: HealthSubject = { kind: 'router', name: 'evil-1' };
  const roots = rootCauses([
    about('link-down', link('to-evil'), [peer]),
    about('link-down', link('to-west')),
    about('router-quarantined', peer),
  ]);
  assert.deepEqual(
    roots.map(({ warning: root, follows }) => [root.code, follows.map((follower) => follower.subject.name)]),
    [
      ['link-down', []],
      ['router-quarantined', ['to-evil']],
    ],
  );
});

test('the report has each check once, in its group, and fails with an error only', () => {
  const good = checkReport({ namespace: 'east', site: 'east', warnings: [], skipped: new Set(['link-down']) });
  assert.equal(good.success, true);
  const checks = good.categories.flatMap((category) => category.checks);
  assert.deepEqual(new Set(checks.map(({ code }) => code)), new Set(healthCodeNames));
  assert.equal(checks.length, healthCodeNames.length);
  assert.equal(checks.find(({ code }) => code === 'link-down')?.result, 'skipped');
  const warned = checkReport({ namespace: 'east', site: 'east', warnings: [about('version-differs', site)], skipped: new Set() });
  assert.equal(warned.success, true);
  const failed = checkReport({
    namespace: 'east',
    site: 'east',
    warnings: [about('link-down', link('a')), about('certificate-ended', site)],
    skipped: new Set(),
  });
  assert.equal(failed.success, false);
  const results = new Map(failed.categories.flatMap(({ checks: list }) => list.map((check) => [check.code, check])));
  assert.equal(results.get('certificate-ended')?.result, 'error');
  assert.equal(results.get('link-down')?.result, 'follows');
  assert.equal(results.get('link-down')?.problems[0]?.causedBy, 'certificate-ended');
});
