import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { commands } from './command-table.ts';
import { complete, type NameSource } from './completion-candidates.ts';

const names: NameSource = {
  namespaces: async () => Promise.resolve(['default', 'east']),
  sites: async () => Promise.resolve(['west', 'hub']),
  services: async () => Promise.resolve(['backend', 'web']),
  resources: async (kind) => Promise.resolve(kind === 'Link' ? ['to-hub'] : [`a-${kind.toLowerCase()}`]),
};

async function words(line: string, source: NameSource = names): Promise<readonly string[] | 'files'> {
  const completion = await complete(line.split(' '), () => source);
  return completion === 'files' ? 'files' : completion.candidates.map(({ word }) => word);
}

test('commands are completed word by word', async () => {
  assert.deepEqual(await words('lin'), ['link']);
  assert.deepEqual(await words('link '), ['status', 'delete', 'generate']);
  assert.deepEqual(await words('link s'), ['status']);
  assert.deepEqual(await words('-n east link d'), ['delete']);
  assert.deepEqual(await words('help link d'), ['delete']);
  assert.deepEqual(await words('nonsense '), []);
  const first = await words('');
  assert.ok(first.includes('site') && first.includes('check') && first.includes('help'));
  // What is a command and begins others has both.
  assert.ok((await words('console ')).includes('password'));
});

test('options are completed, each once, and so are their values', async () => {
  assert.ok((await words('ping --')).includes('--interval'));
  assert.ok(!(await words('ping --count 3 --')).includes('--count'));
  assert.deepEqual(await words('check -o '), ['json', 'short', 'table', 'yaml']);
  assert.deepEqual(await words('check --output=j'), ['json']);
  assert.deepEqual(await words('network status -o '), ['json', 'table', 'yaml']);
  assert.deepEqual(await words('listener create --wait '), ['configured', 'none', 'ready']);
  assert.deepEqual(await words('-n e'), ['east']);
  assert.deepEqual(await words('apply -f '), 'files');
});

test('names are those that the site knows', async () => {
  assert.deepEqual(await words('ping '), ['backend', 'hub', 'web', 'west']);
  assert.deepEqual(await words('ping -c 3 w'), ['web', 'west']);
  assert.deepEqual(await words('service status b'), ['backend']);
  assert.deepEqual(await words('site revoke '), ['hub', 'west']);
  assert.deepEqual(await words('link status '), ['to-hub']);
  assert.deepEqual(await words('connector delete '), ['a-connector']);
  assert.deepEqual(await words('link status to-hub '), []);
  assert.deepEqual(await words('token redeem '), 'files');
  assert.deepEqual(await words('completion '), ['bash', 'fish', 'zsh']);
});

test('the namespace of the line is asked', async () => {
  const asked: (string | undefined)[] = [];
  for (const line of ['ping ', '-n east ping ', 'ping --namespace west ', 'ping --namespace=hub ']) {
    await complete(line.split(' '), (namespace) => {
      asked.push(namespace);
      return names;
    });
  }
  assert.deepEqual(asked, [undefined, 'east', 'west', 'hub']);
});

test('no words throw, and what is offered begins as the word does', async () => {
  const word = fc.oneof(
    fc.constantFrom(...[...commands.keys()].flatMap((verb) => verb.split(' ')), '--output', '-o', '-n', '--', '-', '', '--wait', '='),
    fc.string({ maxLength: 5 }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(word, { minLength: 1, maxLength: 5 }), async (line) => {
      const completion = await complete(line, () => names);
      const current = line.at(-1) ?? '';
      if (completion === 'files') return;
      const start = current.startsWith('--') && current.includes('=') ? current.slice(current.indexOf('=') + 1) : current;
      for (const candidate of completion.candidates) assert.ok(candidate.word.startsWith(start) || candidate.word.startsWith(current));
    }),
    { numRuns: 300 },
  );
});
