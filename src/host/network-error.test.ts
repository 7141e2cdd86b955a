import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { explainNetworkError } from './network-error.ts';

test('errors of real sockets are told in words', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const second = createServer().listen(port, '127.0.0.1');
  const [inUse] = (await once(second, 'error')) as [Error];
  assert.equal(explainNetworkError(inUse, `127.0.0.1:${port}`), `127.0.0.1:${port} is in use by another program`);
  server.close();
  await once(server, 'close');
  const [refused] = (await once(connect(port, '127.0.0.1'), 'error')) as [Error];
  assert.equal(explainNetworkError(refused, 'backend:80'), 'backend:80 refused the connection: nothing listens there');
  const foreign = createServer().listen(0, '192.0.2.1');
  const [notOurs] = (await once(foreign, 'error')) as [Error];
  assert.equal(explainNetworkError(notOurs, '192.0.2.1:0'), "192.0.2.1:0: the address is not one of this host's");
});

test('other errors keep their message', () => {
  assert.equal(explainNetworkError(new Error('odd'), 'h:1'), 'h:1: odd');
});
