import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InputError } from '../base/errors.ts';
import type { Command } from './command.ts';
import { readCall, splitLine } from './parse-arguments.ts';
import { TestShell } from './test-shell.ts';

const verbs = new Set(['site create', 'token issue', 'apply', 'listener create']);

const command: Command = {
  parameters: [
    { name: 'NAME', meaning: 'a name' },
    { name: 'PORT', meaning: 'a port', optional: true },
  ],
  options: {
    host: { value: 'HOST', meaning: 'a host', default: '127.0.0.1' },
    'routing-key': { short: 'r', value: 'KEY', meaning: 'a key' },
    force: { short: 'f', meaning: 'a flag' },
  },
  description: '',
  examples: [],
  run: () => Promise.resolve(0),
};

function read(...args: string[]): ReturnType<typeof readCall> {
  return readCall(new TestShell({ VAN_NAMESPACE: 'from-environment' }), 'listener create', command, args);
}

function failure(...args: string[]): InputError {
  try {
    read(...args);
  } catch (error) {
    assert.ok(error instanceof InputError);
    return error;
  }
  return assert.fail('was accepted');
}

test('the verb is found behind, between and in front of common options', () => {
  for (const line of ['-n west site create x', 'site create x -n west', 'site -n west create x', '--namespace=west site create x']) {
    const { verb, rest } = splitLine(line.split(' '), verbs);
    assert.equal(verb, 'site create', line);
    assert.equal(rest.filter((word) => word === 'x').length, 1, line);
    assert.ok(rest.join(' ').includes('west'), line);
  }
  assert.deepEqual(splitLine(['-o', 'json', 'apply', '-f', 'x'], verbs), {
    verb: 'apply',
    words: ['apply', 'x'],
    rest: ['-o', 'json', '-f', 'x'],
  });
});

test('what is no verb is given back as it was typed', () => {
  assert.deepEqual(splitLine(['site', 'craete', 'x'], verbs), {
    verb: undefined,
    words: ['site', 'craete'],
    rest: ['site', 'craete', 'x'],
  });
  assert.deepEqual(splitLine([], verbs), { verb: undefined, words: [], rest: [] });
  assert.equal(splitLine(['--', 'apply'], verbs).verb, undefined);
});

test('options have values, short names and defaults', () => {
  const call = read('db', '5432', '-r', 'postgres', '-f', '--output=json', '--timeout', '2m');
  assert.equal(call.parameter('NAME'), 'db');
  assert.equal(call.optionalParameter('PORT'), '5432');
  assert.equal(call.text('routing-key'), 'postgres');
  assert.equal(call.text('host'), '127.0.0.1');
  assert.equal(call.flag('force'), true);
  assert.equal(call.output, 'json');
  assert.equal(call.timeoutMs, 120_000);
  assert.equal(call.waitLevel('configured'), 'configured');
});

test('the namespace comes from -n, then the environment, then is "default"', () => {
  assert.equal(read('db').namespace, 'from-environment');
  assert.equal(read('db', '-n', 'east').namespace, 'east');
  assert.equal(read('db', '-n', 'east').namespaceOption, ' -n east');
  const call = readCall(new TestShell(), 'apply', { ...command, parameters: [] }, []);
  assert.equal(call.namespace, 'default');
  assert.equal(call.namespaceOption, '');
});

test('errors name the option or parameter and what to type', () => {
  assert.match(failure().message, /^NAME: is missing/);
  assert.equal(failure().remedy, 'type van listener create NAME [PORT]');
  assert.match(failure('a', '1', 'extra').message, /^'extra': is one word too many/);
  assert.match(failure('').message, /^NAME: is empty/);
  assert.match(failure('a', '--hots', 'x').message, /^--hots: is no option of van listener create/);
  assert.match(failure('a', '--hots', 'x').remedy ?? '', /did you mean --host\?/);
  assert.match(failure('a', '--host').message, /^--host: needs a value: --host HOST/);
  assert.match(failure('a', '--host', '--force').message, /^--host: needs a value/);
  assert.match(failure('a', '--host', 'x', '--host', 'y').message, /^--host: is given twice/);
  assert.match(failure('a', '--force=yes').message, /^--force: takes no value/);
  assert.match(failure('a', '-o', 'xml').message, /^--output: must be one of table, json, yaml/);
  assert.match(failure('a', '--wait', 'long').message, /^--wait: must be one of none, configured, ready/);
  assert.match(failure('a', '--timeout', '60').message, /^--timeout: must be a duration/);
});

test('no line of words does anything but be read or refused', () => {
  const word = fc.oneof(
    fc.constantFrom(
      '-n',
      '-o',
      'json',
      '--host',
      '--host=',
      '--force',
      '-f',
      '--',
      '-',
      '-fr',
      '--__proto__',
      '--constructor=x',
      'toString',
    ),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 6 }), (args) => {
      splitLine(args, verbs);
      try {
        read(...args);
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
      }
    }),
  );
});
