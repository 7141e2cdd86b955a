import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { InputError } from '../../base/errors.ts';
import { metadataTable, overlayInnerTables, overlayTables } from './resource-tables.ts';
import { overlayKinds, parseOverlayResources } from './resources.ts';
import { tenantNetworks } from './tenant-network.ts';

/** The page about tenants' resources says what the tables say, and its examples do what it says of them. */

const page = readFileSync(new URL('../../../docs/overlay-resources.md', import.meta.url), 'utf8');

interface Field {
  readonly presence: 'required' | 'default' | 'optional';
  readonly schema: { readonly type: string };
  readonly meaning: string;
  readonly default?: unknown;
}

const tables = { metadata: metadataTable, ...overlayTables, ...overlayInnerTables };

function rowsBelow(heading: string): readonly string[] {
  const lines = page.split('\n');
  const start = lines.findIndex((line) => /^#+ /.test(line) && line.replace(/^#+ /, '').replaceAll('`', '') === heading);
  assert.ok(start !== -1, `no heading '${heading}'`);
  const length = lines.slice(start + 1).findIndex((line) => line.startsWith('#'));
  return lines.slice(start + 1, start + 1 + length).filter((line) => line.startsWith('| `'));
}

for (const [name, { fields, options }] of Object.entries(tables)) {
  test(`the page tells every field of ${name}`, () => {
    const row = (...cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
    assert.deepEqual(rowsBelow(name), [
      ...(Object.entries(fields) as [string, Field][]).map(([key, { presence, schema, meaning, default: value }]) =>
        row(`\`${key}\``, presence === 'default' ? `default ${JSON.stringify(value)}` : presence, schema.type, meaning),
      ),
      ...Object.entries(options.ignored ?? {}).map(([key, reason]) => row(`\`${key}\``, 'no effect', '', reason)),
      ...Object.entries(options.unsupported ?? {}).map(([key, { reason }]) => row(`\`${key}\``, 'refused', '', reason)),
    ]);
  });
}

/** YAML blocks of the page; one that a text block follows at once is refused with that message. */
const examples = [...page.matchAll(/```yaml\n(.*?)```\n(?:```text\n(.*?)\n```)?/gs)].map(([, text = '', message]) => ({ text, message }));

test('the examples of the page are a whole, with every kind', () => {
  const resources = examples.filter(({ message }) => message === undefined).flatMap(({ text }) => parseOverlayResources(text, 'FILE'));
  assert.deepEqual(new Set(resources.map(({ resource }) => resource.kind)), new Set(overlayKinds));
  assert.equal(tenantNetworks(resources).endpoints.length, 2);
});

for (const { text, message } of examples) {
  if (message === undefined) continue;
  test(`refused as the page says: ${message.split('\n')[0]}`, () => {
    assert.throws(
      () => parseOverlayResources(text, 'FILE'),
      (error) => {
        assert.ok(error instanceof InputError);
        assert.equal([error.message, error.remedy].filter((part) => part !== undefined).join('\n'), message);
        return true;
      },
    );
  });
}
