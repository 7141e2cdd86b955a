import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { healthCodeNames } from '../../src/site/health-codes.ts';
import { docsOf } from '../../src/site/health-report.ts';
import { judgeHealth } from '../../src/site/health-rules.ts';
import { projectFolder, readText } from '../source-files.ts';
import { wellSite } from './examples.ts';
import { exampleProblem, exampleReport, indexPage, pageOf } from './pages.ts';

const folder = join(projectFolder, 'docs/checks');
const index = join(projectFolder, 'docs/checks.md');

if (process.env['UPDATE_PAGES'] === '1') {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  for (const code of healthCodeNames) writeFileSync(join(folder, `${code}.md`), pageOf(code));
  writeFileSync(index, indexPage());
}

test('every check has its page, which says what the table and van check say, and there are no others', () => {
  assert.deepEqual(readdirSync(folder).sort(), healthCodeNames.map((code) => `${code}.md`).sort());
  for (const code of healthCodeNames) assert.equal(readText(docsOf(code)), pageOf(code), code);
  assert.equal(readFileSync(index, 'utf8'), indexPage());
});

test('the example of a code shows it as the only cause, with something to do', () => {
  assert.deepEqual(judgeHealth(wellSite), []);
  for (const code of healthCodeNames) {
    assert.notEqual(exampleProblem(code).remedy, '');
    const causes = exampleReport(code)
      .categories.flatMap(({ checks }) => checks)
      .filter(({ problems }) => problems.some(({ causedBy }) => causedBy === null));
    assert.deepEqual(
      causes.map((check) => [check.code, check.docs]),
      [[code, `docs/checks/${code}.md`]],
    );
  }
});
