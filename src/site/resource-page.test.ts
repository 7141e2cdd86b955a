import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { InputError } from '../base/errors.ts';
import type { RecordOptions } from '../management/schema.ts';
import { clusterKinds, innerSchemas, specSchemas } from './resource-tables.ts';
import { serviceSettings, type ServiceKind, type ServiceSetting } from './service-settings.ts';
import { kinds, metadataSchema, parseResources, secretSchema } from './resources.ts';

/** The page about resources says what the tables say, and its examples do what it says of them. */

const page = readFileSync(new URL('../../docs/resources.md', import.meta.url), 'utf8');

interface Table {
  readonly fields: object;
  readonly options: RecordOptions;
}

interface Field {
  readonly presence: 'required' | 'default' | 'optional';
  readonly schema: { readonly type: string };
  readonly meaning: string;
  readonly default?: unknown;
}

const tables: readonly (readonly [string, Table])[] = [
  ['metadata', metadataSchema('Listener')],
  ['Secret', withoutFrame(secretSchema)],
  ...Object.entries(specSchemas),
  ...Object.entries(innerSchemas),
];

/** A Secret's table is of the whole document, of which the page tells the frame once for all kinds. */
function withoutFrame({ fields, options }: Table): Table {
  const ignored = Object.entries(options.ignored ?? {}).filter(([key]) => !['apiVersion', 'kind', 'status'].includes(key));
  return { fields, options: { ...options, ignored: Object.fromEntries(ignored) } };
}

/** The rows that the page must have for a table: `| key | presence | value | meaning |`. */
function rowsOf({ fields, options }: Table): readonly string[] {
  const rows = (Object.entries(fields) as [string, Field][]).map(([key, { presence, schema, meaning, default: value }]) =>
    row(key, presence === 'default' ? `default ${JSON.stringify(value)}` : presence, schema.type, meaning),
  );
  const ignored = Object.entries(options.ignored ?? {}).map(([key, reason]) => row(key, 'no effect', '', reason));
  const refused = Object.entries(options.unsupported ?? {}).map(([key, { reason, remedy, accept = [] }]) =>
    row(
      key,
      'refused',
      accept.length === 0 ? '' : `${accept.join(', ')} is accepted`,
      remedy === undefined ? reason : `${reason}; ${remedy}`,
    ),
  );
  return [...rows, ...ignored, ...refused];
}

function row(key: string, presence: string, value: string, meaning: string): string {
  return `| \`${key}\` | ${presence} | ${value} | ${meaning} |`;
}

/** The rows below the heading of that name, up to the next heading; those whose first cell is code. */
function rowsBelow(heading: string): readonly string[] {
  const lines = page.split('\n');
  const start = lines.findIndex((line) => /^#+ /.test(line) && line.replace(/^#+ /, '').replaceAll('`', '') === heading);
  assert.ok(start !== -1, `docs/resources.md has no heading '${heading}'`);
  const length = lines.slice(start + 1).findIndex((line) => line.startsWith('#'));
  return lines.slice(start + 1, length === -1 ? undefined : start + 1 + length).filter((line) => line.startsWith('| `'));
}

for (const [name, table] of tables) {
  test(`the page tells every field of ${name}`, () => {
    assert.deepEqual(rowsBelow(name), rowsOf(table));
  });
}

/** The rows of the settings of a kind: `| setting | types | value | meaning |`; types that have the same share a row. */
function settingRows(kind: ServiceKind): readonly string[] {
  const types = new Map<string, string[]>();
  for (const [type, settings] of Object.entries(serviceSettings[kind])) {
    for (const [name, { schema, meaning }] of Object.entries(settings) as [string, ServiceSetting][]) {
      const text = `${name}\0${schema.type}\0${meaning}`;
      types.set(text, [...(types.get(text) ?? []), type]);
    }
  }
  return [...types].map(([text, names]) => {
    const [name = '', type = '', meaning = ''] = text.split('\0');
    return row(name, names.join(', '), type, meaning);
  });
}

for (const kind of ['Listener', 'Connector'] as const) {
  test(`the page tells every setting of ${kind}`, () => {
    assert.deepEqual(rowsBelow(`${kind}.spec.settings`), settingRows(kind));
  });
}

test('the page tells every kind that is refused, and has an example of each that is accepted', () => {
  assert.deepEqual(
    rowsBelow('Kinds that are refused'),
    Object.entries(clusterKinds).map(([kind, reason]) => `| \`${kind}\` | ${reason} |`),
  );
  const shown = new Set(examples.filter(({ message }) => message === undefined).flatMap(({ text }) => read(text).map(({ kind }) => kind)));
  assert.deepEqual(
    kinds.filter((kind) => !shown.has(kind)),
    [],
  );
});

test('maps inside of maps have tables of their own', () => {
  for (const [name, { fields }] of tables) {
    if (name === 'Secret' || name === 'metadata') continue;
    for (const [key, { schema }] of Object.entries(fields) as [string, Field][]) {
      const inner = schema.type === 'map' ? `${name}.${key}` : schema.type === 'list of map' ? `${name}.${key}[]` : undefined;
      if (inner !== undefined) assert.ok(Object.hasOwn(innerSchemas, inner), inner);
    }
  }
});

/** YAML blocks of the page; one that a text block follows at once is refused with that message. */
const examples = [...page.matchAll(/```yaml\n(.*?)```\n(?:```text\n(.*?)\n```)?/gs)].map(([, text = '', message]) => ({ text, message }));

function read(text: string): ReturnType<typeof parseResources> {
  return parseResources(text, 'FILE');
}

for (const { text, message } of examples) {
  test(`example of the page: ${(message ?? text).replaceAll(/\s+/g, ' ').slice(0, 100)}`, () => {
    if (message === undefined) {
      assert.ok(read(text).length > 0);
      return;
    }
    assert.throws(
      () => read(text),
      (error) => {
        assert.ok(error instanceof InputError);
        assert.equal(error.remedy === undefined ? error.message : `${error.message}\n${error.remedy}`, message);
        return true;
      },
    );
  });
}
