import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { requestLimit } from '../../src/overlay/cni/cni-request.ts';
import { compilerMissing, environmentOf, Plugin, type PluginRun } from './cni-plugin.ts';

/** The plugin alone: what it says by itself, and what it makes of a daemon that misbehaves. Built so that errors of memory end it. */

const skip = compilerMissing();
const sanitizers = '-Os -g -fsanitize=address,undefined -fno-sanitize-recover=all';

let plugin: Plugin;
before(() => {
  if (skip !== undefined) return;
  try {
    plugin = new Plugin(sanitizers);
  } catch {
    plugin = new Plugin();
  }
});
after(() => plugin?.[Symbol.dispose]());

const add = environmentOf('ADD', 'aaaa', 'eth0', '/run/netns/a');

function errorOf({ status, stdout, stderr }: PluginRun): { code: number; msg: string; details: string; cniVersion: string } {
  assert.equal(stderr, '');
  assert.equal(status, 1);
  return JSON.parse(stdout.toString()) as { code: number; msg: string; details: string; cniVersion: string };
}

/** A daemon that does with each connection what it is told. */
async function withDaemon<T>(name: string, server: Server, work: (config: object) => Promise<T>): Promise<T> {
  const socket = join(plugin.folder, `${name}.sock`);
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  try {
    return await work({ cniVersion: '1.0.0', name: 'pods', type: 'caravan-cni', socket });
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

test('VERSION is answered without a daemon', { skip }, async () => {
  const ask = async (input: string): Promise<unknown> => {
    const { status, stdout } = await plugin.run(environmentOf('VERSION'), input);
    assert.equal(status, 0);
    return JSON.parse(stdout.toString());
  };
  const supportedVersions = ['0.4.0', '1.0.0', '1.1.0'];
  assert.deepEqual(await ask('{"cniVersion":"0.3.1"}'), { cniVersion: '0.3.1', supportedVersions });
  for (const input of [
    '',
    '{',
    '{"cniVersion":1}',
    '{"cniVersion":"\\u0031"}',
    '{"cniVersion":"1.0.0.0.0.0.0.0.0"}',
    '[{"cniVersion":"0.4.0"}]',
  ]) {
    assert.deepEqual(await ask(input), { cniVersion: '1.1.0', supportedVersions });
  }
});

const malformed: readonly (readonly [string, Record<string, string>])[] = [
  ['nothing', {}],
  ['an unknown command', { ...add, CNI_COMMAND: 'UPDATE' }],
  ['ADD without a container', { ...add, CNI_CONTAINERID: '' }],
  ['CHECK without a namespace', { ...add, CNI_COMMAND: 'CHECK', CNI_NETNS: '' }],
  ['DEL without an interface', { ...add, CNI_COMMAND: 'DEL', CNI_IFNAME: '' }],
  ['a variable that is too long', { ...add, CNI_ARGS: 'A='.padEnd(4097, 'x') }],
];
for (const [what, environment] of malformed) {
  test(`an environment with ${what} is refused with code 4`, { skip }, async () => {
    const { code, cniVersion } = errorOf(await plugin.run(environment, '{"cniVersion":"1.0.0"}'));
    assert.deepEqual([code, cniVersion], [4, '1.0.0']);
  });
}

test('a daemon that is away is told with code 11', { skip }, async () => {
  const socket = join(plugin.folder, 'nobody.sock');
  const { code, details, cniVersion } = errorOf(await plugin.run(add, JSON.stringify({ cniVersion: '0.4.0', socket })));
  assert.deepEqual([code, details, cniVersion], [11, socket, '0.4.0']);
});

test('the socket must be an absolute path that fits', { skip }, async () => {
  for (const socket of ['', 'cni.sock', `/${'x'.repeat(107)}`, '/tmp/"', '/tmp/é', 5, null, {}]) {
    assert.equal(errorOf(await plugin.run(add, JSON.stringify({ socket }))).code, 7);
  }
  // What the error repeats must be text for whoever reads it.
  assert.equal(errorOf(await plugin.run(add, Buffer.from('{"socket":"/\xff"}', 'latin1'))).code, 7);
});

test('a configuration of more than 1 MiB is refused, also when only escapes make it too long', { skip }, async () => {
  assert.equal(errorOf(await plugin.run(add, ' '.repeat(1024 * 1024 + 1))).code, 7);
  assert.equal(errorOf(await plugin.run(add, '\n'.repeat(1024 * 1024))).code, 7);
});

test('the request has environment and configuration as they are, and the reply is copied', { skip }, async () => {
  const requests: Buffer[] = [];
  const server = createServer((socket) => {
    let gathered = Buffer.alloc(0);
    socket.on('data', (bytes: Buffer) => {
      gathered = Buffer.concat([gathered, bytes]);
      if (gathered.length < 4 || gathered.length < 4 + gathered.readUInt32BE(0)) return;
      requests.push(gathered);
      const text = Buffer.from('{"fine":"é"}\n');
      // One octet at a time, as a stream may.
      const reply = Buffer.concat([Buffer.from([0, 0, 0, 1 + text.length, requests.length % 2]), text]);
      for (const octet of reply) socket.write(Buffer.of(octet));
      socket.end();
    });
  });
  await withDaemon('echo', server, async (config) => {
    const odd = { ...config, args: { text: 'quotes " and \\ and \u0000\u001f\u007f and é\ud83d\ude00' } };
    const environment: Record<string, string> = { ...add, CNI_ARGS: 'K8S_POD_NAME=a"b\\c\td\x01;é=ü' };
    const padded = JSON.stringify({ ...config, padding: 'x'.repeat(1024 * 1024 - 500) });
    for (const [index, input] of [JSON.stringify(odd, undefined, 2), padded].entries()) {
      const { status, stdout } = await plugin.run(environment, input);
      assert.deepEqual([status, stdout.toString()], [1 - index, '{"fine":"é"}\n']);
      const request = requests[index]!;
      assert.ok(request.length <= 4 + requestLimit);
      const { CNI_PATH: _, ...sent } = environment;
      assert.deepEqual(JSON.parse(request.subarray(4).toString()), { env: sent, config: input });
    }
  });
});

const replies: readonly (readonly [string, readonly number[], number])[] = [
  ['ends at once', [], 11],
  ['ends in the length', [0, 0], 11],
  ['ends in the text', [0, 0, 0, 9, 0, 123], 11],
  ['has no status', [0, 0, 0, 0, 0], 5],
  ['has an unknown status', [0, 0, 0, 1, 2], 5],
  ['is too long', [0, 16, 0, 2, 0], 5],
  ['is far too long', [255, 255, 255, 255, 0], 5],
];
for (const [what, bytes, code] of replies) {
  test(`a reply that ${what} is code ${code}`, { skip }, async () => {
    let connections = 0;
    const server = createServer((socket) => {
      connections++;
      socket.on('error', () => undefined);
      socket.resume();
      socket.end(Buffer.from(bytes));
    });
    await withDaemon('bad', server, async (config) => {
      assert.equal(errorOf(await plugin.run(add, JSON.stringify(config))).code, code);
      // A call at which the daemon goes away is tried once more, not for ever.
      assert.equal(connections, code === 11 ? 2 : 1);
    });
  });
}

test('a daemon that comes back within a second is waited for', { skip }, async () => {
  const socket = join(plugin.folder, 'late.sock');
  const running = plugin.run(environmentOf('STATUS'), JSON.stringify({ socket }));
  const server = createServer((connection) => connection.resume().end(Buffer.from([0, 0, 0, 1, 0])));
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  assert.deepEqual([(await running).status], [0]);
  await new Promise((resolve) => server.close(resolve));
});

test('whatever comes in, it ends by itself and says JSON', { skip }, async () => {
  const sizes = { maxLength: 200 };
  const pieces = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    '\\',
    '"socket"',
    '"/s"',
    '"cniVersion"',
    '"1.0.0"',
    ' ',
    '\0',
    'é',
    '1',
  );
  const input = fc.oneof(
    fc.uint8Array(sizes),
    fc.array(pieces, { maxLength: 30 }).map((parts) => Buffer.from(parts.join(''))),
  );
  // An environment has no zero octets.
  const value = fc.string({ unit: 'binary', maxLength: 20 }).map((text) => text.replaceAll('\0', ''));
  await fc.assert(
    fc.asyncProperty(
      input,
      fc.constantFrom('ADD', 'DEL', 'VERSION', 'STATUS', ''),
      value,
      value,
      async (bytes, command, id, parameters) => {
        // No socket: what reaches the daemon is another test's, and its being away takes a second.
        const environment = environmentOf(command, id, '', '/n', parameters);
        const isAway = command === 'STATUS';
        const { status, stdout, stderr } = await plugin.run(isAway ? {} : environment, bytes);
        assert.equal(stderr, '');
        assert.equal(status, command === 'VERSION' ? 0 : 1);
        JSON.parse(stdout.toString());
      },
    ),
    { numRuns: 60 },
  );
});
