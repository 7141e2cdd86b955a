import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadKoffi, openLibrary } from './foreign-library.ts';

const isSupported = process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch);
const skip = isSupported ? false : `needs Linux on x64 or arm64, this is ${process.platform}-${process.arch}`;

const libraries = ['libc.so.6', 'libc.musl-x86_64.so.1', 'libc.musl-aarch64.so.1'];

test('a function of a system library is called', { skip }, () => {
  const koffi = loadKoffi();
  const { getpid, memcmp } = openLibrary<{ getpid(): number; memcmp(a: Uint8Array, b: Uint8Array, bytes: number): number }>(
    koffi,
    ['libnowhere.so.1', ...libraries],
    { getpid: 'int getpid()', memcmp: 'int memcmp(const void *a, const void *b, size_t bytes)' },
    'none',
  );
  assert.equal(getpid(), process.pid);
  assert.equal(memcmp(Uint8Array.of(1, 2, 3), Uint8Array.of(1, 2, 4), 2), 0);
  assert.ok(memcmp(Uint8Array.of(1, 2, 3), Uint8Array.of(1, 2, 4), 3) < 0);
});

test('a library that is missing or too old is named, with what to do', { skip }, () => {
  const koffi = loadKoffi();
  const prototypes = { no_such_function: 'int no_such_function()' };
  const remedy = 'Install it.';
  assert.throws(() => openLibrary(koffi, ['libnowhere.so.1', 'libnowhere.so.2'], prototypes, remedy), {
    code: 'library-missing',
    message: /^libnowhere\.so\.1 or libnowhere\.so\.2 cannot be loaded: /,
    remedy,
  });
  assert.throws(() => openLibrary(koffi, libraries, prototypes, remedy), { code: 'library-old', message: /no_such_function/, remedy });
});

test('a platform without koffi gets an error with a remedy', () => {
  const absent = (): never => {
    throw new Error("Cannot find module 'koffi'\nRequire stack:");
  };
  assert.throws(() => loadKoffi(absent, 'linux-x64'), {
    code: 'ffi-unavailable',
    message: "Calls into system libraries do not work: Cannot find module 'koffi'",
    remedy: /--omit=optional/,
  });
  assert.throws(() => loadKoffi(absent, 'darwin-arm64'), {
    code: 'ffi-unavailable',
    message: /darwin-arm64/,
    remedy: /linux-x64 and linux-arm64/,
  });
});
