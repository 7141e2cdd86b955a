import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InputError } from '../base/errors.ts';
import { resourceFileName, siteLayout, socketPathLimitBytes, stateRoot, type Account, type Environment } from './state-layout.ts';

const user: Account = { uid: 1000, home: '/home/ann' };
const root: Account = { uid: 0, home: '/root' };

const roots: readonly (readonly [string, Environment, Account, string])[] = [
  ['a user', {}, user, '/home/ann/.local/share/caravan'],
  ['a user whose home ends in a slash', {}, { uid: 1000, home: '/home/ann/' }, '/home/ann/.local/share/caravan'],
  ['root', {}, root, '/var/lib/caravan'],
  ['a user with XDG_DATA_HOME', { XDG_DATA_HOME: '/data' }, user, '/data/caravan'],
  ['root with XDG_DATA_HOME', { XDG_DATA_HOME: '/data' }, root, '/data/caravan'],
  ['slashes at the end', { XDG_DATA_HOME: '/data//' }, user, '/data/caravan'],
  ['the root folder', { XDG_DATA_HOME: '/' }, user, '/caravan'],
  ['a relative XDG_DATA_HOME, which does not count', { XDG_DATA_HOME: 'data' }, user, '/home/ann/.local/share/caravan'],
  ['an empty XDG_DATA_HOME, which does not count', { XDG_DATA_HOME: '' }, root, '/var/lib/caravan'],
];

for (const [name, environment, account, expected] of roots) {
  test(`state of ${name} lies in ${expected}`, () => {
    assert.equal(stateRoot(environment, account), expected);
  });
}

test('everything of a namespace lies in its folder', () => {
  const layout = siteLayout('east', {}, user);
  const folder = '/home/ann/.local/share/caravan/namespaces/east';
  assert.deepEqual(layout, {
    folder,
    stateFile: `${folder}/state.json`,
    resourceFolder: `${folder}/input/resources`,
    suppliedCertificateFolder: `${folder}/input/certs`,
    runtimeFolder: `${folder}/runtime`,
    pkiFolder: `${folder}/runtime/pki`,
    certificateFolder: `${folder}/runtime/certs`,
    routerFolder: `${folder}/runtime/router`,
    routerConfigurationFile: `${folder}/runtime/router/router.json`,
    logFile: `${folder}/runtime/router/router.log`,
    statusFolder: `${folder}/runtime/resources`,
    auditFile: `${folder}/runtime/audit.jsonl`,
    startsFile: `${folder}/runtime/starts.json`,
    pidFile: `${folder}/runtime/supervisor.pid`,
    managementSocket: `${folder}/runtime/management.sock`,
    managementSocketFolder: `${folder}/runtime`,
    observerFolder: `${folder}/runtime/observer`,
    observerSocket: `${folder}/runtime/observer.sock`,
    observerSocketFolder: `${folder}/runtime`,
  });
});

test('a namespace that could be another folder is refused', () => {
  for (const namespace of ['', '.', '..', 'a/b', '../x', 'A', 'a_b', 'a'.repeat(64), '-a', 'a\0']) {
    assert.throws(
      () => siteLayout(namespace, {}, user),
      (error) => error instanceof InputError && error.code === 'namespace-invalid',
    );
  }
  assert.ok(siteLayout('a'.repeat(63), {}, user).folder.endsWith('a'.repeat(63)));
});

/** A data folder that makes the socket's path exactly `length` bytes long. */
function dataFolder(length: number, letter = 'd'): string {
  const rest = '/caravan/namespaces/n/runtime/management.sock'.length + 1;
  return `/${letter.repeat((length - rest) / Buffer.byteLength(letter))}`;
}

test('the socket lies in the site up to the longest path a socket can have', () => {
  const { managementSocket, managementSocketFolder, runtimeFolder } = siteLayout('n', { XDG_DATA_HOME: dataFolder(107) }, user);
  assert.equal(Buffer.byteLength(managementSocket), socketPathLimitBytes);
  assert.equal(managementSocketFolder, runtimeFolder);
});

const elsewhere: readonly (readonly [string, Environment, RegExp])[] = [
  ['the runtime directory', { XDG_RUNTIME_DIR: '/run/user/1000' }, /^\/run\/user\/1000\/caravan\/[0-9a-f]{16}\.sock$/],
  ['the folder for temporary files', {}, /^\/tmp\/caravan-1000\/[0-9a-f]{16}\.sock$/],
  ['TMPDIR', { TMPDIR: '/var/tmp/' }, /^\/var\/tmp\/caravan-1000\/[0-9a-f]{16}\.sock$/],
  ['/tmp, when the others are too long or relative', { XDG_RUNTIME_DIR: `/${'r'.repeat(90)}`, TMPDIR: 'tmp' }, /^\/tmp\/caravan-1000\//],
  ['/tmp, when all are too long', { XDG_RUNTIME_DIR: `/${'r'.repeat(90)}`, TMPDIR: `/${'t'.repeat(90)}` }, /^\/tmp\/caravan-1000\//],
];

for (const [name, environment, expected] of elsewhere) {
  test(`a socket whose path would be too long lies in ${name}`, () => {
    const layout = siteLayout('n', { ...environment, XDG_DATA_HOME: dataFolder(108) }, user);
    assert.match(layout.managementSocket, expected);
    assert.ok(Buffer.byteLength(layout.managementSocket) <= socketPathLimitBytes);
    assert.equal(layout.managementSocketFolder, layout.managementSocket.slice(0, layout.managementSocket.lastIndexOf('/')));
    assert.equal(siteLayout('n', { ...environment, XDG_DATA_HOME: `${dataFolder(108)}/` }, user).managementSocket, layout.managementSocket);
    assert.notEqual(siteLayout('m', { ...environment, XDG_DATA_HOME: dataFolder(108) }, user).managementSocket, layout.managementSocket);
  });
}

test('the limit counts bytes, not characters', () => {
  const short = siteLayout('n', { XDG_DATA_HOME: dataFolder(107, 'é') }, user);
  assert.equal(short.managementSocketFolder, short.runtimeFolder);
  const long = siteLayout('n', { XDG_DATA_HOME: `${dataFolder(107, 'é')}é` }, user);
  assert.match(long.managementSocket, /^\/tmp\//);
});

test('each resource has a file of its own, whose name every file system takes', () => {
  assert.equal(resourceFileName('Listener', 'backend.v1'), 'Listener-backend.v1.yaml');
  const long = 'a'.repeat(253);
  const name = resourceFileName('MultiKeyListener', long);
  assert.match(name, /^MultiKeyListener-a+~[0-9a-f]{16}\.yaml$/);
  // Files being written have a prefix with a process id before their name.
  assert.ok(`.writing-4194304-${name}`.length <= 255);
  assert.notEqual(resourceFileName('MultiKeyListener', `${long.slice(1)}b`), name);
  for (let length = 190; length < 210; length++) assert.ok(resourceFileName('Link', 'a'.repeat(length)).length <= 220);
});
