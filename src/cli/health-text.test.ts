import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkReport, stoppedReport } from '../site/health-report.ts';
import { healthWarning, rootCauses, type HealthWarning } from '../site/health.ts';
import { formatReport, formatWarnings } from './health-text.ts';

const certificate = healthWarning('certificate-ended', {
  subject: { kind: 'site', name: '' },
  text: 'the certificate has ended',
  evidence: 'it ended at noon',
  remedy: 'van site logs',
});
const link = healthWarning('link-down', {
  subject: { kind: 'link', name: 'to-west' },
  text: "the link 'to-west' is down",
  evidence: 'refused\n\u001b[2J',
  remedy: 'van link status',
});
const refused = healthWarning('link-refused', {
  subject: { kind: 'router', name: 'x' },
  text: 'a link was refused',
  remedy: 'van site audit',
});

function report(warnings: readonly HealthWarning[], short: boolean): string {
  return formatReport(checkReport({ namespace: 'east', site: 'east', warnings, skipped: new Set(['link-port-closed']) }), short);
}

test('status shows causes with the number of their consequences, and leaves out what is only good to know', () => {
  assert.equal(formatWarnings([]), '');
  assert.equal(formatWarnings(rootCauses([refused])), '');
  assert.equal(
    formatWarnings(rootCauses([link, certificate, refused])),
    `
error: the certificate has ended (certificate-ended) [1 more problem follows from it]
  seen: it ended at noon
  try: van site logs
`,
  );
});

test('the short report has what is wrong only, each consequence with its cause', () => {
  assert.equal(
    report([link, certificate], true),
    `certificates
------------
× The TLS certificate is valid
    the certificate has ended
      seen: it ended at noon
      try:  van site logs
    see docs/checks/certificate-ended.md (certificate-ended)

links
-----
↳ Every link of this site is up
    the link 'to-west' is down
      seen: refused\\n\\x1b[2J
      follows from: certificate-ended

Status check results are × (${countOf('√', report([link, certificate], false))} passed, 1 failed, 1 followed from others, 1 not to be checked)
`,
  );
});

function countOf(mark: string, text: string): number {
  return text.split('\n').filter((line) => line.startsWith(`${mark} `)).length;
}

test('the whole report has every check with its mark', () => {
  const text = report([refused], false);
  assert.match(text, /^√ Every link of this site is up$/m);
  assert.match(text, /^- The link port is open$/m);
  assert.match(text, /^ℹ No link was refused\n {4}a link was refused\n {6}try: {2}van site audit$/m);
  assert.match(text, /^Status check results are √ /m);
});

test('of a site that does not run nothing else is told', () => {
  const text = formatReport(stoppedReport('east', null, { text: 'there is no site', remedy: 'van site create NAME' }), false);
  assert.match(text, /^site\n----\n× The site runs\n {4}there is no site\n {6}try: {2}van site create NAME\n/);
  assert.doesNotMatch(text, /^[√-] /m);
});
