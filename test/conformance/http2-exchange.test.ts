/** What both ends make of exchanges that are not plain: Node's client and server on either side, nothing between the ends. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream, Http2Server, IncomingHttpHeaders, ServerHttp2Stream, Settings } from 'node:http2';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ExchangeFailure } from '../../src/services/http/exchange.ts';
import type { HttpHandler, Responder } from '../../src/services/http/exchange.ts';
import { until } from './grpc-calls.ts';
import { Relay } from './http2-relay.ts';
import type { RelayOptions } from './http2-relay.ts';

type Serve = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

interface Rig {
  readonly server: Http2Server;
  readonly relay: Relay;
  readonly client: ClientHttp2Session;
  readonly sessions: () => number;
}

async function rig(context: TestContext, serve: Serve, settings: Settings = {}, options: RelayOptions = {}): Promise<Rig> {
  const server = createServer({ settings });
  let sessions = 0;
  server.on('session', () => sessions++);
  server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.on('error', () => {});
    serve(stream, headers);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const relay = new Relay((server.address() as AddressInfo).port, options);
  await relay.start();
  const client = connect(`http://127.0.0.1:${relay.port}`);
  client.on('error', () => {});
  context.after(async () => {
    client.destroy();
    await relay.stop();
    server.close();
  });
  await once(client, 'remoteSettings');
  return { server, relay, client, sessions: () => sessions };
}

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders | undefined;
  readonly text: string;
  readonly code: number | undefined;
}

async function answerOf(stream: ClientHttp2Stream): Promise<Answer> {
  let headers: IncomingHttpHeaders & { ':status'?: number | undefined } = {};
  let trailers: IncomingHttpHeaders | undefined;
  let text = '';
  stream.on('response', (received) => (headers = received));
  stream.on('trailers', (received: IncomingHttpHeaders) => (trailers = received));
  stream.on('error', () => {});
  stream.setEncoding('utf8');
  stream.on('data', (piece: string) => (text += piece));
  await once(stream, 'close').catch(() => {});
  return { status: headers[':status'], headers, trailers, text, code: stream.rstCode };
}

async function bodyOf(stream: ServerHttp2Stream): Promise<string> {
  let text = '';
  stream.setEncoding('utf8');
  for await (const piece of stream) text += String(piece);
  return text;
}

test('100, other answers before the answer, and trailers in both directions', async (context) => {
  const { client } = await rig(context, (stream, headers) => {
    let trailers: IncomingHttpHeaders = {};
    stream.on('trailers', (received: IncomingHttpHeaders) => (trailers = received));
    assert.equal(headers.expect, '100-continue');
    stream.additionalHeaders({ ':status': 103, link: '</a>' });
    stream.additionalHeaders({ ':status': 100 });
    void bodyOf(stream).then((text) => {
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-came': String(trailers['x-end']), 'x-two': ['a', 'b'] }));
      stream.end(text);
    });
  });
  const stream = client.request({ ':method': 'POST', ':path': '/', expect: '100-continue' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'x-end': 'sent' }));
  const early: string[] = [];
  stream.on('headers', (headers: IncomingHttpHeaders & { ':status': number }) =>
    early.push(`${headers[':status']} ${String(headers['link'])}`),
  );
  stream.once('continue', () => stream.end('body'));
  const { status, text, trailers } = await answerOf(stream);
  assert.deepEqual([status, text], [200, 'body']);
  assert.deepEqual([trailers?.['x-came'], trailers?.['x-two']], ['sent', 'a, b']);
  assert.equal(early[0], '103 </a>');
});

test('HEAD, 204 and 304 have no body; lengths are kept', async (context) => {
  const { client } = await rig(context, (stream, headers) => {
    stream.resume();
    const status = Number(String(headers[':path']).slice(1));
    stream.respond(
      { ':status': status, ...(status === 204 ? {} : { 'content-length': 5 }) },
      { endStream: headers[':method'] === 'HEAD' || status !== 200 },
    );
    if (!stream.writableEnded) stream.end('12345');
  });
  const head = await answerOf(client.request({ ':method': 'HEAD', ':path': '/200' }));
  assert.deepEqual([head.status, head.headers['content-length'], head.text], [200, '5', '']);
  const same = await answerOf(client.request({ ':path': '/304' }));
  assert.deepEqual([same.status, same.headers['content-length'], same.text], [304, '5', '']);
  assert.equal((await answerOf(client.request({ ':path': '/204' }))).status, 204);
  const full = await answerOf(client.request({ ':path': '/200' }));
  assert.deepEqual([full.headers['content-length'], full.text], ['5', '12345']);
});

test('a body that is not as long as its head says reaches nobody as complete', async (context) => {
  let complete = 0;
  const { client } = await rig(context, (stream) => {
    stream.on('end', () => {
      if (stream.rstCode === 0 && !stream.aborted) complete++;
    });
    stream.resume();
    stream.respond({ ':status': 200 });
    stream.end();
  });
  const stream = client.request({ ':method': 'POST', ':path': '/', 'content-length': 10 });
  stream.end('short');
  assert.notEqual((await answerOf(stream)).code, 0);
  await sleep(50);
  assert.equal(complete, 0);
});

test('WebSockets (RFC 8441), with half-closed directions', async (context) => {
  const { client, relay } = await rig(
    context,
    (stream, headers) => {
      assert.deepEqual([headers[':method'], headers[':protocol'], headers['sec-websocket-key']], ['CONNECT', 'websocket', undefined]);
      if (headers[':path'] === '/no') {
        stream.respond({ ':status': 403 });
        stream.end('no');
        return;
      }
      stream.respond({ ':status': 200, 'sec-websocket-protocol': 'chat' });
      stream.on('data', (bytes: Buffer) => stream.write(bytes));
      stream.on('end', () => stream.end('bye'));
    },
    { enableConnectProtocol: true },
  );
  const stream = client.request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/chat', ':scheme': 'http', ':authority': 'h' });
  const answer = answerOf(stream);
  await once(stream, 'response');
  stream.write('frame');
  await once(stream, 'data');
  stream.end();
  const { status, text, headers } = await answer;
  assert.deepEqual(
    [status, text, headers['sec-websocket-protocol'], headers['sec-websocket-accept']],
    [200, 'framebye', 'chat', undefined],
  );
  const refused = await answerOf(
    client.request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/no', ':scheme': 'http', ':authority': 'h' }),
  );
  assert.deepEqual([refused.status, refused.text], [403, 'no']);
  await until(() => relay.listener.requests === 0 && relay.pool.requests === 0);
});

test('a client that goes away, a server that resets', async (context) => {
  const gone: number[] = [];
  const { client, relay } = await rig(context, (stream, headers) => {
    if (headers[':path'] === '/reset') {
      stream.respond({ ':status': 200 });
      stream.write('some');
      setTimeout(() => stream.destroy(new Error('broken')), 50);
    } else stream.on('close', () => gone.push(stream.rstCode));
  });
  const stream = client.request({ ':path': '/wait' });
  stream.on('error', () => {});
  await until(() => relay.pool.requests === 1);
  await sleep(50);
  stream.close(8);
  await until(() => gone.length === 1);
  assert.deepEqual(gone, [8]);
  const cut = await answerOf(client.request({ ':path': '/reset' }));
  assert.deepEqual([cut.status, cut.code], [200, 2]);
  await until(() => relay.listener.requests === 0 && relay.pool.requests === 0);
});

test('what is cut off never looks complete, to clients and to servers', async (context) => {
  const uploads: string[] = [];
  const wrap = (pool: HttpHandler): HttpHandler => ({
    handle: (head, responder) => {
      if (head.path === '/upload') return pool.handle(head, responder);
      setTimeout(() => {
        const fields = new Uint8Array(0);
        responder.head({ status: 200, fields, contentLength: -1, hasBody: true, upgrade: false });
        responder.data(Buffer.from('some'), 0, 4);
        const fail = (): void => responder.fail(head.path === '/later' ? ExchangeFailure.broken : ExchangeFailure.cancelled, 'cut');
        if (head.path === '/later') setTimeout(fail, 50);
        else fail();
      }, 10);
      return { data: () => {}, end: () => {}, abort: () => {}, responseWritten: () => {}, congested: false };
    },
  });
  const { client, relay } = await rig(
    context,
    (stream) => {
      let ended = false;
      stream.on('end', () => (ended = !stream.aborted));
      stream.on('close', () => uploads.push(`${ended ? 'complete' : 'cut'} ${stream.rstCode}`));
      stream.resume();
    },
    {},
    { wrap },
  );
  // Nothing of the answer has gone out: it can still be another.
  assert.equal((await answerOf(client.request({ ':path': '/at-once' }))).status, 502);
  const cut = await answerOf(client.request({ ':path': '/later' }));
  assert.deepEqual([cut.status, cut.text, cut.code], [200, 'some', 2]);
  const upload = client.request({ ':method': 'POST', ':path': '/upload' });
  upload.on('error', () => {});
  upload.write('part');
  await until(() => relay.pool.requests === 1);
  await sleep(50);
  upload.destroy(new Error('given up'));
  await until(() => uploads.length === 1);
  assert.deepEqual(uploads, ['cut 8']);
});

test('an answer before the end of the request ends it', async (context) => {
  const { client, relay } = await rig(context, (stream) => {
    stream.respond({ ':status': 413 });
    stream.end('too much');
  });
  const stream = client.request({ ':method': 'POST', ':path': '/' });
  stream.write('begin');
  const { status, text, code } = await answerOf(stream);
  assert.deepEqual([status, text, code], [413, 'too much', 0]);
  await until(() => relay.listener.requests === 0 && relay.pool.requests === 0);
});

test('a reader that stalls stops the sender, in both directions', async (context) => {
  let written = 0;
  const piece = Buffer.alloc(65_536, 'p');
  const { client } = await rig(context, (stream, headers) => {
    if (headers[':method'] === 'POST') {
      stream.respond({ ':status': 200 });
      setTimeout(() => stream.resume(), 600);
      stream.on('end', () => stream.end('read'));
      return;
    }
    stream.respond({ ':status': 200 });
    const more = (): void => {
      while (written < 16 * 1024 * 1024) {
        written += piece.length;
        if (!stream.write(piece)) {
          stream.once('drain', more);
          return;
        }
      }
      stream.end();
    };
    more();
  });
  const slow = client.request({ ':path': '/' });
  await once(slow, 'response');
  await sleep(400);
  // Windows of the client, of both ends, and what waits between them.
  assert.ok(written < 3 * 1024 * 1024, `${written} octets went to a client that reads none`);
  let got = 0;
  slow.on('data', (bytes: Buffer) => (got += bytes.length));
  await once(slow, 'end');
  assert.equal(got, 16 * 1024 * 1024);
  const upload = client.request({ ':method': 'POST', ':path': '/' });
  let sent = 0;
  const answer = answerOf(upload);
  for (; sent < 16 * 1024 * 1024; sent += piece.length) {
    if (upload.write(piece)) continue;
    const first = await Promise.race([once(upload, 'drain').then(() => 'drain'), sleep(200).then(() => 'stalled')]);
    if (first === 'stalled') assert.ok(sent < 3 * 1024 * 1024, `${sent} octets went to a server that reads none`);
    if (first === 'stalled') await once(upload, 'drain');
  }
  upload.end();
  assert.equal((await answer).text, 'read');
});

test('a server that allows two requests at a time gets more connections, and REFUSED_STREAM is tried again', async (context) => {
  let active = 0;
  let most = 0;
  let refused = 0;
  const { client, sessions } = await rig(
    context,
    (stream, headers) => {
      if (headers[':path'] === '/refuse' && refused++ === 0) {
        stream.close(7);
        return;
      }
      active++;
      most = Math.max(most, active);
      setTimeout(() => {
        active--;
        stream.respond({ ':status': 200 });
        stream.end('ok');
      }, 100);
    },
    { maxConcurrentStreams: 2 },
  );
  const answers = await Promise.all(Array.from({ length: 12 }, () => answerOf(client.request({ ':path': '/' }))));
  assert.deepEqual([...new Set(answers.map(({ status, text }) => `${status} ${text}`))], ['200 ok']);
  console.log(`# ${sessions()} connections, ${most} requests at a time`);
  assert.ok(sessions() > 1);
  const again = client.request({ ':method': 'POST', ':path': '/refuse' });
  again.end('body');
  assert.deepEqual([(await answerOf(again)).text, refused], ['ok', 2]);
});

test('a server that is not there, and one that speaks something else', async (context) => {
  const failures: [ExchangeFailure, string][] = [];
  const wrap = (pool: HttpHandler): HttpHandler => ({
    handle: (head, responder) =>
      pool.handle(
        head,
        failing(responder, (failure, reason) => failures.push([failure, reason])),
      ),
  });
  const { client, server } = await rig(context, () => {}, {}, { wrap });
  const port = (server.address() as AddressInfo).port;
  server.close();
  const { status, headers } = await answerOf(client.request({ ':path': '/' }));
  assert.equal(status, 502);
  assert.match(String(headers['caravan-error']), /site="site"/);
  const other = createTcpServer((socket) => {
    socket.on('error', () => {});
    socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
  });
  other.listen(port, '127.0.0.1');
  await once(other, 'listening');
  assert.equal((await answerOf(client.request({ ':path': '/' }))).status, 502);
  other.close();
  assert.deepEqual(
    failures.map(([failure]) => failure),
    [ExchangeFailure.unreachable, ExchangeFailure.unreachable],
  );
});

function failing(responder: Responder, failed: (failure: ExchangeFailure, reason: string) => void): Responder {
  return {
    interim: (status, fields) => responder.interim(status, fields),
    head: (head) => responder.head(head),
    data: (bytes, start, end) => responder.data(bytes, start, end),
    end: (trailers) => responder.end(trailers),
    fail: (failure, reason) => {
      failed(failure, reason);
      responder.fail(failure, reason);
    },
    requestRelieved: () => responder.requestRelieved(),
    get pendingBytes() {
      return responder.pendingBytes;
    },
  };
}

test('a listener that drains: GOAWAY, what is under way is answered, then the connection ends', async (context) => {
  const { client, relay } = await rig(context, (stream) => {
    setTimeout(() => {
      stream.respond({ ':status': 200 });
      stream.end('late');
    }, 200);
  });
  const answer = answerOf(client.request({ ':path': '/' }));
  await until(() => relay.pool.requests === 1);
  const announced = once(client, 'goaway');
  const closed = once(client, 'close');
  relay.listener.retire();
  await announced;
  relay.listener.drain();
  assert.equal((await answer).text, 'late');
  await closed;
  await until(() => relay.listener.active === 0);
});

test('connections without requests end by themselves, at both ends', async (context) => {
  const { client, relay } = await rig(
    context,
    (stream) => {
      stream.respond({ ':status': 200 });
      stream.end('ok');
    },
    {},
    { idleTimeoutMs: 300 },
  );
  const closed = once(client, 'close');
  assert.equal((await answerOf(client.request({ ':path': '/' }))).text, 'ok');
  assert.equal(relay.pool.connections, 1);
  await closed;
  await until(() => relay.pool.connections === 0 && relay.listener.active === 0);
});
