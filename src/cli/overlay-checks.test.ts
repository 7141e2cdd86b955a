import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type KernelFeature, probeFeatures } from '../kernel/bpf/features.ts';
import { featureCheck } from './overlay-checks.ts';
import { formatChecks } from './overlay-doctor.ts';
import { featureSentences } from './overlay-feature-sentences.ts';

const ringBuffer: KernelFeature = {
  name: 'ring-buffer',
  purpose: 'events',
  since: 'Linux 5.8',
  isRequired: true,
  state: 'no',
  detail: 'the kernel refuses it',
};

test('every feature has a sentence, and every sentence a feature', () => {
  const names = probeFeatures().map(({ name }) => name);
  assert.deepEqual(Object.keys(featureSentences).toSorted(), names.toSorted());
});

test('what is missing is shown with its cause, the version that has it and what to do', () => {
  assert.equal(
    formatChecks([featureCheck(ringBuffer)]),
    '× Programs can tell the daemon of events\n    seen:  the kernel refuses it\n    since: Linux 5.8\n' +
      '    try:   Use Linux 5.8 or newer; Linux 6.6 has all that the overlay uses.\n    (ring-buffer)\n\n' +
      'This machine cannot be a host of the tenant overlay yet (0 passed, 1 failed).\n',
  );
});

test('what the overlay can do without is a warning, and what could not be tried neither', () => {
  const optional = featureCheck({ ...ringBuffer, isRequired: false });
  const unknown = featureCheck({ ...ringBuffer, state: 'unknown', detail: 'needs the privileges above' });
  assert.deepEqual([optional.result, unknown.result, unknown.remedy], ['warning', 'skipped', null]);
  assert.match(
    formatChecks([optional, unknown]),
    /not checked: needs the privileges above\n\nThis machine can be a host .* \(0 passed, 1 with a warning, 1 not/,
  );
});

test('causes of several lines stay together, and nothing in them steers a terminal', () => {
  const text = formatChecks([{ ...featureCheck(ringBuffer), seen: 'one\ntwo\u001b[2J\n' }]);
  assert.match(text, / {4}seen: {2}one\n {11}two\\x1b\[2J\n {4}since/);
});
