import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { healthCategories, healthCodeNames, healthCodes, type HealthCode } from './health-codes.ts';

const page = new URL('../../docs/checks.md', import.meta.url);
const { env } = process;

const introduction = `# Checks

\`van check\` goes through everything that can be wrong with a site, in the groups below, and ends with exit code 1 if something does not work. \`van site
status\` and \`van network status\` show the same problems as warnings. Every check has a code, by which programs know it (\`-o json\`) and which is the
anchor of its section here.

A problem that follows from another one is shown as its consequence (\`↳\`), not as a problem of its own: mend the cause first. What may follow from what is in
the sections: "in any case" for causes that explain it wherever they are found, "about the same" for causes that have to concern the same link, router or
address.

| mark | | exit code |
|---|---|---|
| √ | as it should be | 0 |
| × | an error: something does not work now | 1 |
| ‼ | a warning: it will not work, or is not as safe as it should be | 0 |
| ℹ | good to know | 0 |
| ↳ | follows from another problem | that of the other |
| - | there is nothing to check, or it could not be checked | 0 |

Some checks try things out that only this moment can tell: they open a TCP connection to each link endpoint and to the server of each connector of the
site, and close it again. They are made by \`van check\` alone.

This page is written from the table in \`src/site/health-codes.ts\`: \`UPDATE_PAGES=1 node --test src/site/health-codes.test.ts\`.
`;

function pageText(): string {
  const parts = [introduction];
  for (const category of healthCategories) {
    parts.push(`## ${category}\n`);
    for (const code of healthCodeNames.filter((name) => healthCodes[name].category === category)) parts.push(section(code));
  }
  return `${parts.join('\n').trimEnd()}\n`;
}

function section(code: HealthCode): string {
  const { severity, expected, title, meaning, cure, dependsOn, dependsOnSame } = healthCodes[code];
  const causes = [
    ...(dependsOn.length === 0 ? [] : [`in any case from ${links(dependsOn)}`]),
    ...(dependsOnSame.length === 0 ? [] : [`about the same from ${links(dependsOnSame)}`]),
  ];
  const follows = causes.length === 0 ? '' : `\nMay follow ${causes.join('; ')}.\n`;
  return `### ${code}\n\n"${expected}", or: **${title}** (${severity}).\n\n${meaning}\n\n${cure}\n${follows}`;
}

function links(codes: readonly HealthCode[]): string {
  return codes.map((code) => `[${code}](#${code})`).join(', ');
}

test('the page about checks says what the table says', () => {
  if (env['UPDATE_PAGES'] === '1') writeFileSync(page, pageText());
  assert.equal(readFileSync(page, 'utf8'), pageText());
});

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
