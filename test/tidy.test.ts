import assert from 'node:assert/strict';
import { test } from 'node:test';
import { filesUnder, readText } from './source-files.ts';

const maxLines = 600;

const code = ['src', 'test', 'bench', 'examples', 'packaging', 'bpf', 'cni'].flatMap((folder) =>
  filesUnder(folder, (name) => /\.(?:ts|mjs|js|c|h)$/.test(name) && name !== 'tidy.test.ts'),
);
const texts = [
  ...code,
  ...['src', 'docs', 'test', 'bench', 'examples', 'packaging'].flatMap((folder) =>
    filesUnder(folder, (name) => /\.(?:md|ya?ml|json|sh)$/.test(name)),
  ),
  'README.md',
  'package.json',
];

interface Rule {
  readonly name: string;
  readonly files: readonly string[];
  readonly pattern: RegExp;
  readonly instead: string;
}

const rules: readonly Rule[] = [
  {
    name: 'no marks of unfinished work',
    files: code,
    pattern: /\b(?:TODO|FIXME|XXX)\b/,
    instead: 'do it now, or write down in docs what is not done and why',
  },
  {
    name: 'no way around the types',
    files: code,
    pattern: /\bas any\b|@ts-(?:ignore|nocheck|expect-error)|:\s*any\b(?=[,;)=\s[])/,
    instead: 'use unknown and narrow it, or a precise type',
  },
  {
    name: 'no silenced lint rules',
    files: code,
    pattern: /(?:oxlint|eslint)-disable/,
    instead: 'write it so that the rule holds',
  },
  {
    name: 'no paths of one machine',
    files: texts,
    pattern: /(?<![\w.$}/-])\/(?:work|root)\//,
    instead: 'use a path from the project folder, or ~',
  },
  {
    name: 'no focused tests',
    files: code.filter((path) => path.endsWith('.test.ts')),
    pattern: /\b(?:test|it|describe)\.only\(/,
    instead: 'run one test with --test-name-pattern',
  },
];

for (const { name, files, pattern, instead } of rules) {
  test(name, () => {
    const found: string[] = [];
    for (const path of files) {
      readText(path)
        .split('\n')
        .forEach((line, index) => {
          if (pattern.test(line)) found.push(`${path}:${index + 1}: ${line.trim()}`);
        });
    }
    assert.deepEqual(found, [], instead);
  });
}

test(`no file of more than ${maxLines} lines`, () => {
  const long = code.filter((path) => readText(path).split('\n').length - 1 > maxLines);
  assert.deepEqual(long, [], 'split it by concern: one idea per file');
});

test('the lock file names packages, not the registry of one machine', () => {
  const lock = JSON.parse(readText('package-lock.json')) as {
    packages: Record<string, { resolved?: string; integrity?: string; link?: boolean }>;
  };
  const foreign = Object.values(lock.packages).filter(
    ({ resolved, link }) => link !== true && resolved !== undefined && !resolved.startsWith('https://registry.npmjs.org/'),
  );
  assert.deepEqual(foreign, [], 'install with --omit-lockfile-registry-resolved');
  const unchecked = Object.entries(lock.packages).filter(
    ([path, entry]) => path.startsWith('node_modules/') && entry.link !== true && entry.integrity === undefined,
  );
  assert.deepEqual(unchecked, [], 'every package has a hash: install it again');
});
