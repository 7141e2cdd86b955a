import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { filesUnder, projectFolder, readText } from './source-files.ts';

interface Layer {
  readonly name: string;
  /** Layers that it may import, as its tsconfig says. */
  readonly references: readonly string[];
  readonly hasNodeTypes: boolean;
}

interface TsConfig {
  readonly compilerOptions?: { readonly types?: readonly string[] };
  readonly references?: readonly { readonly path: string }[];
}

/** Crypto comes with the platform's types; nothing else of the platform may be used here. */
const withoutInputAndOutput = ['base', 'amqp', 'routing', 'forwarding', 'flows', 'services', 'management', 'site', 'pki', 'sim', 'overlay'];

const layers: readonly Layer[] = readdirSync(join(projectFolder, 'src'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => {
    const config = JSON.parse(readText(`src/${name}/tsconfig.json`)) as TsConfig;
    return {
      name,
      references: (config.references ?? []).map(({ path }) => path.replace('../', '')),
      hasNodeTypes: config.compilerOptions?.types?.includes('node') === true,
    };
  });

function sources(layer: string): string[] {
  return filesUnder(`src/${layer}`, (name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
}

function imports(path: string): string[] {
  return [
    ...readText(path).matchAll(
      /^(?:import|export)[^'"]*?from\s+['"]([^'"]+)['"]|^import\s+['"]([^'"]+)['"]|\bimport\(['"]([^'"]+)['"]\)/gm,
    ),
  ].map((match) => match[1] ?? match[2] ?? match[3] ?? '');
}

test('every layer is a project of its own, and the root names all of them', () => {
  const root = JSON.parse(readText('tsconfig.json')) as TsConfig;
  const named = (root.references ?? []).map(({ path }) => path).filter((path) => path.startsWith('src/'));
  assert.deepEqual(named.toSorted(), layers.map(({ name }) => `src/${name}`).toSorted());
});

test('layers refer to each other in one direction', () => {
  const done = new Set<string>();
  const visit = (name: string, path: readonly string[]): void => {
    assert.ok(!path.includes(name), `${[...path, name].join(' -> ')} is a cycle; move what both need into the lower layer`);
    if (done.has(name)) return;
    const layer = layers.find((candidate) => candidate.name === name);
    assert.ok(layer !== undefined, `${path.at(-1)} refers to ${name}, which does not exist`);
    for (const reference of layer.references) visit(reference, [...path, name]);
    done.add(name);
  };
  for (const { name } of layers) visit(name, []);
});

for (const { name, references, hasNodeTypes } of layers) {
  test(`${name} imports only ${references.join(', ') || 'itself'}`, () => {
    for (const path of sources(name)) {
      for (const specifier of imports(path)) {
        if (!specifier.startsWith('.')) continue;
        assert.match(specifier, /\.ts$/, `${path}: imports end in .ts`);
        const [first, layer] = normalize(join(dirname(path), specifier)).split('/');
        assert.equal(first, 'src', `${path} imports ${specifier}, which is no part of the product; move it under src`);
        assert.ok(
          layer === name || references.includes(layer),
          `${path} imports ${specifier}; ${name} may use ${references.join(', ')}: declare an interface in base and pass the rest in`,
        );
      }
    }
  });

  if (withoutInputAndOutput.includes(name)) {
    test(`${name} has no input and output of its own`, () => {
      assert.ok(!hasNodeTypes || name === 'pki', `src/${name}/tsconfig.json: types stay empty, so that the platform is a type error`);
      for (const path of sources(name)) {
        for (const specifier of imports(path)) {
          assert.doesNotMatch(
            specifier,
            /^node:/,
            `${path}: ${specifier} belongs to src/host; declare an interface in base and pass it in`,
          );
        }
        const code = readText(path).replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
        assert.doesNotMatch(code, /\bDate\.now\(|\bnew Date\(\)|\bperformance\./, `${path}: time is a parameter, nowMs`);
        assert.doesNotMatch(code, /\bMath\.random\(|\bgetRandomValues\(/, `${path}: randomness is passed in as Random of base/random.ts`);
        assert.doesNotMatch(
          code,
          /\bset(?:Timeout|Interval|Immediate)\(/,
          `${path}: machines give nextDeadlineMs and the host sets the timer`,
        );
      }
    });
  }
}

test('every layer says in a few lines what lives in it and what may not', () => {
  const folders = new Set(layers.flatMap(({ name }) => sources(name).map((path) => dirname(path))));
  for (const folder of folders) {
    const path = `${folder}/README.md`;
    assert.ok(existsSync(join(projectFolder, path)), `${path} is missing: one to five lines on what lives here and what may not`);
    const lines = readText(path).trimEnd().split('\n');
    assert.ok(lines.length <= 5, `${path} has ${lines.length} lines; five suffice, the rest belongs into docs/architecture.md`);
  }
});
