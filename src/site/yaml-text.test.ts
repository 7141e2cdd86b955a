import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { stringify } from 'yaml';
import { InputError } from '../base/errors.ts';
import { parseYaml, yamlLengthLimit } from './yaml-text.ts';

function problemOf(text: string): string {
  try {
    parseYaml(text, 'f.yaml');
  } catch (error) {
    assert.ok(error instanceof InputError, `not an InputError: ${String(error)}`);
    assert.equal(error.code, 'yaml-syntax');
    return error.message;
  }
  return assert.fail('nothing was thrown');
}

/** Maps of the document as plain objects. */
function plain(value: unknown): unknown {
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, item]) => [key, plain(item)]));
  return Array.isArray(value) ? value.map(plain) : value;
}

test('reads values of all kinds', () => {
  const [document, ...others] = parseYaml('a: 1\nb: [x, "2", yes, ~, true]\nc:\n  d: |\n    two\n    lines\n1: one\n', 'f');
  assert.deepEqual(plain(document?.value), { a: 1, b: ['x', '2', 'yes', null, true], c: { d: 'two\nlines\n' }, '1': 'one' });
  assert.equal(others.length, 0);
});

test('documents are read one by one, empty ones left out; line ends of all systems and a byte order mark are fine', () => {
  assert.deepEqual(
    parseYaml('\u{feff}a: 1\r\n---\r\n# nothing\r\n---\r\nb: 2\r\n...\r\n', 'f').map(({ value }) => plain(value)),
    [{ a: 1 }, { b: 2 }],
  );
  for (const nothing of ['', '\n', '# x\n', '---\n', '~\n', 'null']) assert.deepEqual(parseYaml(nothing, 'f'), []);
});

test('the line of any part is found, also behind aliases and in later documents; of a missing part, that of what holds it', () => {
  const [first, second] = parseYaml('# comment\nbase: &base\n  x: 1\na:\n  - b: 1\n  - c: *base\n---\n\nd: 1\n', 'f');
  assert.deepEqual(
    [['base', 'x'], ['a', 0, 'b'], ['a', 1, 'c'], ['a', 1, 'c', 'x'], ['a', 1, 'z'], ['a', 7], ['nowhere', 'at', 'all'], []].map((path) =>
      first?.lineOf(path),
    ),
    [3, 5, 6, 3, 6, 4, 2, 2],
  );
  assert.deepEqual([second?.lineOf([]), second?.lineOf(['d'])], [9, 9]);
});

test('keys that objects have of themselves are keys like others', () => {
  const [document] = parseYaml('__proto__: {polluted: 1}\nconstructor: 2\ntoString: 3\n', 'f');
  assert.ok(document?.value instanceof Map);
  assert.deepEqual([...document.value.keys()], ['__proto__', 'constructor', 'toString']);
  assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
});

const broken: readonly (readonly [string, RegExp])[] = [
  ['a: [1, 2\nb: 3\n', /^f\.yaml:2:1: Flow sequence/],
  ['a: "x\n', /^f\.yaml:2:1: Missing closing "quote/],
  ['a: 1\n b: 2\n', /^f\.yaml:1:4: Nested mappings/],
  ['a:\n\t- 1\n', /^f\.yaml:2:1: Tabs are not allowed as indentation/],
  ['a:\n  b: 1\n\tc: 2\n', /^f\.yaml:3:1: Tabs are not allowed as indentation/],
  ['a: 1\nb: 2\na: 3\n', /^f\.yaml:3:1: the key 'a' stands twice in the same map$/],
  ['a: {b: 1, b: 2}\n', /^f\.yaml:1:11: the key 'b' stands twice/],
  ['? {a: 1}\n: x\n', /^f\.yaml:1:3: /],
  ['a: !thing 1\n', /^f\.yaml:1:4: Unresolved tag/],
  ['a: *x\n', /^f\.yaml:1:4: the alias \*x refers to no anchor before it$/],
  ['a: *x\nb: &x 1\n', /^f\.yaml:1:4: the alias \*x refers to no anchor before it$/],
  ['a: &x 1\n---\nb: *x\n', /^f\.yaml:3:4: the alias \*x refers to no anchor before it$/],
  ['%NONSENSE\n---\na: 1\n', /^f\.yaml:1:1: Unknown directive/],
  ['a: @b\n', /^f\.yaml:1:4: /],
  ['a: b: c\n', /^f\.yaml:1:4: Nested mappings are not allowed/],
  ['good: 1\n---\na: ]\n', /^f\.yaml:3:4: /],
];

for (const [text, message] of broken) {
  test(`error in ${JSON.stringify(text)}`, () => {
    assert.match(problemOf(text), message);
  });
}

test('aliases: 100 are allowed, 101 are not, and a bomb ends at once', () => {
  assert.equal(parseYaml(`a: &a x\nb: [${Array(100).fill('*a').join(', ')}]\n`, 'f').length, 1);
  assert.match(problemOf(`a: &a x\nb: [${Array(101).fill('*a').join(', ')}]\n`), /^f\.yaml:2:\d+: has more than 100 aliases$/);
  const levels = Array.from({ length: 20 }, (_, level) => `l${level + 1}: &l${level + 1} [*l${level}, *l${level}]`);
  assert.match(problemOf(['l0: &l0 lol', ...levels].join('\n')), /has more than 100 aliases/);
});

test('aliases of something large do not multiply it', () => {
  const large = `a: &a [${Array(20_000).fill('x').join(', ')}]\nb: [${Array(90).fill('*a').join(', ')}]\n`;
  assert.match(problemOf(large), /has more than 100000 values/);
});

test('an alias inside of its own anchor is refused', () => {
  assert.match(problemOf('a: &a [*a]\n'), /nested deeper than 32 levels|refers to no anchor/);
  assert.match(problemOf('a: &a {b: {c: *a}}\n'), /nested deeper than 32 levels|refers to no anchor/);
});

test('aliases that chain through depth are refused where they get too deep', () => {
  const chain = Array.from({ length: 40 }, (_, level) => `l${level + 1}: &l${level + 1} [*l${level}]`);
  assert.match(problemOf(['l0: &l0 x', ...chain].join('\n')), /nested deeper than 32 levels|has more than 100 aliases/);
});

test('nesting: 32 levels are allowed, more are not', () => {
  for (const [open, close] of [
    ['[', ']'],
    ['{a: ', '}'],
  ] as const) {
    assert.equal(parseYaml(`${open.repeat(32)}x${close.repeat(32)}`, 'f').length, 1);
    assert.match(problemOf(`${open.repeat(34)}x${close.repeat(34)}`), /nested deeper than 32 levels/);
  }
});

test('sizes: the limits are allowed, one more is not', () => {
  assert.equal(parseYaml(`a: ${'x'.repeat(yamlLengthLimit - 3)}`, 'f').length, 1);
  assert.equal(problemOf(`a: ${'x'.repeat(yamlLengthLimit - 2)}`), 'f.yaml: is 1048577 characters long; the limit is 1048576');
  assert.equal(parseYaml('--- x\n'.repeat(1024), 'f').length, 1024);
  assert.match(problemOf('--- x\n'.repeat(1025)), /^f\.yaml:1025:5: has more than 1024 documents$/);
  // The list itself is a value too.
  assert.equal(parseYaml(`[${Array(99_999).fill('x').join(',')}]`, 'f').length, 1);
  assert.match(problemOf(`[${Array(100_000).fill('x').join(',')}]`), /has more than 100000 values/);
});

test('what the writer writes is read back, line by line', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 20 }),
    fc.constantFrom(
      'yes',
      'null',
      '~',
      '1e3',
      '0x10',
      '01',
      '2001-01-01',
      '- a',
      'a: b',
      '#x',
      ' x',
      '"',
      '\n\n',
      '\t',
      '---',
      '...',
      '%',
      '&a',
      '*a',
      '<<',
      '=',
      '!!x',
    ),
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      text,
      fc.integer(),
      fc.boolean(),
      fc.array(tie('tree'), { maxLength: 4 }),
      fc.dictionary(text, tie('tree'), { maxKeys: 4 }),
    ),
  }));
  fc.assert(
    fc.property(fc.dictionary(text, tree, { minKeys: 1, maxKeys: 4, noNullPrototype: true }), (value) => {
      assert.deepEqual(plain(parseYaml(stringify(value, { lineWidth: 0, aliasDuplicateObjects: false }), 'f')[0]?.value), plainCopy(value));
    }),
    { numRuns: 500 },
  );
});

/** The same with ordinary prototypes, which strict comparison looks at. */
function plainCopy(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plainCopy);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plainCopy(item)]));
}
