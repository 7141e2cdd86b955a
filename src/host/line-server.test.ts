import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { silentLogger } from '../base/log.ts';
import { exchangeLine, streamLines } from './line-client.ts';
import { openLineServer } from './line-server.ts';
import type { LineReader, LineServerOptions } from './line-server.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lines-'));
});
after(() => rm(folder, { recursive: true }));

/** Lines of at most 100 characters. */
function newReader(): LineReader {
  let text = '';
  return {
    receive(bytes) {
      text += Buffer.from(bytes).toString('latin1');
      if (text.length > 100) throw new Error('too long');
    },
    nextLine() {
      const end = text.indexOf('\n');
      if (end < 0) return undefined;
      const line = text.slice(0, end);
      text = text.slice(end + 1);
      return line;
    },
  };
}

function options(name: string, changes: Partial<LineServerOptions> = {}): LineServerOptions {
  const answer = (line: string): Promise<string> => Promise.resolve(`${line}!\n`);
  return { path: join(folder, name), newReader, answer, pendingLimit: 2, log: silentLogger, ...changes };
}

function exchange(name: string, text: string, timeoutMs = 2000): Promise<string> {
  return exchangeLine({ path: join(folder, name), line: `${text}\n`, reader: newReader(), timeoutMs });
}

test('one server per socket; one left behind is replaced; nothing is left at the end', async () => {
  {
    await using _server = await openLineServer(options('a'));
    assert.equal(await exchange('a', 'hello'), 'hello!');
    assert.equal((await stat(join(folder, 'a'))).mode & 0o777, 0o600);
    await assert.rejects(openLineServer(options('a')), { code: 'socket-in-use' });
  }
  await assert.rejects(stat(join(folder, 'a')), { code: 'ENOENT' });
  await assert.rejects(exchange('a', 'hello'), { code: 'not-running' });

  // What a killed process leaves: the file of a socket on which nobody listens. Closing unlinks a path, so it is another one by then.
  const killed = createServer();
  killed.listen(join(folder, 'b-old'));
  await once(killed, 'listening');
  const { rename } = await import('node:fs/promises');
  await rename(join(folder, 'b-old'), join(folder, 'b'));
  killed.close();
  await once(killed, 'close');
  await assert.rejects(exchange('b', 'hello'), { code: 'not-running' });
  await using _server = await openLineServer(options('b'));
  assert.equal(await exchange('b', 'hello'), 'hello!');
});

test('a file that is no socket stays, and a folder open to others is refused', async () => {
  await writeFile(join(folder, 'file'), 'precious');
  await assert.rejects(openLineServer(options('file')), { code: 'socket-path' });
  const open = join(folder, 'open');
  await using server = await openLineServer(options('ignored', { path: join(open, 'socket'), privateFolder: open }));
  await server[Symbol.asyncDispose]();
  await chmod(open, 0o755);
  await assert.rejects(openLineServer(options('ignored', { path: join(open, 'socket'), privateFolder: open })), {
    code: 'folder-not-private',
  });
});

test('a connection is not read while too many of its lines are unanswered', async () => {
  const waiting: (() => void)[] = [];
  let most = 0;
  const answer = (line: string): Promise<string> =>
    new Promise((resolve) => {
      waiting.push(() => resolve(`${line}\n`));
      most = Math.max(most, waiting.length);
    });
  await using _server = await openLineServer(options('c', { answer }));
  const socket = connect(join(folder, 'c'));
  socket.write('1\n2\n3\n4\n5\n');
  let text = '';
  socket.on('data', (bytes: Buffer) => (text += bytes.toString()));
  while (text.length < 10) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    waiting.shift()?.();
  }
  assert.equal(text, '1\n2\n3\n4\n5\n');
  assert.equal(most, 2);
  socket.destroy();
});

test('answers under way are given at the end, a silent server is given up', async () => {
  const finish = Promise.withResolvers<string>();
  const server = await openLineServer(options('d', { answer: () => finish.promise }));
  const pending = exchange('d', 'x');
  await assert.rejects(exchange('d', 'y', 50), { code: 'no-answer' });
  const closed = server[Symbol.asyncDispose]();
  finish.resolve('done\n');
  assert.equal(await pending, 'done');
  await closed;
});

test('a signal ends the server', async () => {
  const stop = new AbortController();
  await openLineServer(options('e', { signal: stop.signal }));
  assert.equal(await exchange('e', 'x'), 'x!');
  stop.abort();
  await assert.rejects(exchange('e', 'x'), { code: 'not-running' });
});

test('answers that go on end with the client, which takes as many as it wants', async () => {
  const closed = Promise.withResolvers<void>();
  await using _server = await openLineServer(
    options('stream', {
      answer: (line, client) => {
        const sending = setInterval(() => client.send(`${line} goes on\n`), 1);
        client.closed.addEventListener('abort', () => {
          clearInterval(sending);
          assert.equal(client.send('late\n'), false);
          closed.resolve();
        });
        return Promise.resolve(`${line} begins\n`);
      },
    }),
  );
  const taken: string[] = [];
  const path = join(folder, 'stream');
  await streamLines({ path, line: 'it\n', reader: newReader(), take: (line) => taken.push(line) < 3 });
  assert.deepEqual(taken, ['it begins', 'it goes on', 'it goes on']);
  await closed.promise;
  await assert.rejects(streamLines({ path: join(folder, 'nowhere'), line: 'it\n', reader: newReader(), take: () => true }), {
    code: 'not-running',
  });
});

test('a client that does not read is not sent more and more; it finds the reason behind what was sent', async () => {
  const line = 'x'.repeat(65_536);
  let sent = 0;
  await using _server = await openLineServer(
    options('slow', {
      answer: (_line, client) => {
        while (client.send(`${line}\n`)) assert.ok(sent++ < 1000);
        client.endWith('the end\n');
        return Promise.resolve('never\n');
      },
    }),
  );
  const socket = connect(join(folder, 'slow'));
  socket.write('go\n');
  await once(socket, 'readable');
  let text = '';
  for await (const bytes of socket as AsyncIterable<Buffer>) text += bytes.toString('latin1');
  assert.ok(sent > 32);
  assert.equal(text.length, sent * (line.length + 1) + 'the end\n'.length);
  assert.ok(text.endsWith('x\nthe end\n'));
});
