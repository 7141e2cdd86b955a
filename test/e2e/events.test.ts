import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { atEndOfTest } from './end-of-test.ts';
import { HttpClient, HttpServer } from './http-peer.ts';
import type { Answer } from './http-peer.ts';
import { LinkProxy } from './link-proxy.ts';
import { line, Network, routerId } from './network.ts';
import { freePort } from './ports.ts';
import type { Entity } from './router-process.ts';
import { until } from './until.ts';
import { VanSandbox } from './van-sandbox.ts';

const host = '127.0.0.1';

interface Part {
  readonly site: string;
  readonly server: string;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly error?: { readonly code: string; readonly reason: string };
}

function channel(port: number, more: Entity[1] = {}): Entity {
  return ['httpListener', { name: 'events', address: 'events', host, port, eventChannel: 'json', ...more }];
}

function connector(port: number, name = `events-${port}`): Entity {
  return ['httpConnector', { name, address: 'events', host, port }];
}

/** A server that remembers what it got, and answers with its name. */
class EventServer implements AsyncDisposable {
  readonly bodies: string[] = [];
  readonly #server: HttpServer;

  private constructor(server: HttpServer) {
    this.#server = server;
  }

  static async start(
    name: string,
    answer: (response: ServerResponse, body: string) => void = (response) => response.end(name),
  ): Promise<EventServer> {
    const bodies: string[] = [];
    const server = await HttpServer.start((request, response) => void read(request, response));
    const read = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      const pieces: Buffer[] = [];
      for await (const piece of request as AsyncIterable<Buffer>) pieces.push(piece);
      const body = Buffer.concat(pieces).toString();
      if (body !== '') bodies.push(body);
      response.setHeader('content-type', 'text/plain');
      response.setHeader('caravan-site', 'elsewhere');
      answer(response, body);
    };
    const events = new EventServer(server);
    Object.assign(events, { bodies });
    return events;
  }

  get port(): number {
    return this.#server.port;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#server[Symbol.asyncDispose]();
  }
}

function parts(answer: Answer): readonly Part[] {
  return JSON.parse(answer.body.toString()) as Part[];
}

function post(client: HttpClient, body: string, more: { path?: string; method?: string } = {}): Promise<Answer> {
  return client.ask({ method: 'POST', body, headers: { 'content-type': 'text/plain' }, ...more });
}

/** Waits until an event of no content reaches so many servers. */
async function reaching(client: HttpClient, servers: number): Promise<void> {
  await until(`${servers} servers`, async () => {
    const answer = await post(client, '').catch(() => undefined);
    return answer?.status === 200 && parts(answer).filter(({ status }) => status === 200).length === servers;
  });
}

suite('HTTP event channels', { concurrency: false }, () => {
  test('a POST reaches every server of every site once, and their answers become one', { timeout: 58_000 }, async () => {
    await using near = await EventServer.start('near');
    await using middle = await EventServer.start('middle');
    await using far = await EventServer.start('far');
    await using second = await EventServer.start('second', (response) => {
      response.statusCode = 418;
      response.end(Buffer.of(0xff, 0xfe));
    });
    const [port, multipartPort, http2Port] = [await freePort(), await freePort(), await freePort()];
    await using network = await Network.start({
      tls: true,
      links: line(['near', 'middle', 'far']),
      entities: {
        near: [
          channel(port),
          channel(multipartPort, { name: 'multipart', eventChannel: 'multipart' }),
          channel(http2Port, { name: 'http2', protocol: 'http2' }),
          connector(near.port),
        ],
        middle: [connector(middle.port)],
        far: [connector(far.port), connector(second.port)],
      },
    });
    await network.router('near').logged(/service port open/);
    using client = new HttpClient(port, 4);
    await until('four servers', async () => {
      const answer = await post(client, '').catch(() => undefined);
      return answer?.status === 200 && parts(answer).length === 4;
    });
    const answer = await post(client, 'first event');
    assert.deepEqual([answer.status, answer.headers['content-type']], [200, 'application/json']);
    // Those of one site are in the order of their ids, which nobody knows.
    assert.deepEqual(
      parts(answer)
        .map(({ site, status, body }) => [site, status, body ?? ''])
        .toSorted(),
      [
        [routerId('far'), 200, 'far'],
        [routerId('far'), 418, ''],
        [routerId('middle'), 200, 'middle'],
        [routerId('near'), 200, 'near'],
      ],
    );
    for (const { headers, server } of parts(answer)) {
      assert.equal(headers?.['content-type'], 'text/plain');
      assert.equal(headers['caravan-site'], undefined, 'a server cannot say where it is');
      assert.match(server, /^server\./);
    }
    for (const server of [near, middle, far, second]) assert.deepEqual(server.bodies, ['first event']);

    // A long event goes as a stream.
    const long = 'x'.repeat(900_000);
    assert.equal(parts(await post(client, long, { method: 'PUT' })).length, 4);
    for (const server of [near, middle, far, second]) assert.equal(server.bodies[1], long);

    const tooLong = await post(client, 'x'.repeat(1_500_000));
    assert.deepEqual([tooLong.status, tooLong.headers.connection], [413, 'close']);
    const get = await client.ask();
    assert.deepEqual([get.status, String(get.headers['caravan-error']).split(';')[0]], [405, 'method-not-allowed']);

    using multipart = new HttpClient(multipartPort, 1);
    const mixed = await post(multipart, 'multipart event');
    const boundary = /^multipart\/mixed; boundary="(caravan-[\w.]{24})"$/.exec(String(mixed.headers['content-type']))?.[1];
    assert.ok(boundary !== undefined);
    const pieces = mixed.body.toString('latin1').split(`--${boundary}`);
    assert.equal(pieces.length, 6);
    assert.equal(pieces[5], '--\r\n');
    assert.match(
      pieces[4],
      new RegExp(`^\r\ncaravan-site: ${routerId('near')}\r\ncaravan-server: server\\.[^\r]+\r\ncaravan-status: 200\r\n`),
    );
    assert.match(pieces[4], /\r\n\r\nnear\r\n$/);
    assert.ok(pieces.some((piece) => piece.endsWith('\r\n\r\n\xff\xfe\r\n')));

    // By HTTP/2 to servers of HTTP/1.1.
    const session = connectHttp2(`http://${host}:${http2Port}`);
    atEndOfTest(() => session.destroy());
    const stream = session.request({ ':method': 'POST', ':path': '/' });
    stream.end('by HTTP/2');
    let body = '';
    for await (const piece of stream.setEncoding('utf8') as AsyncIterable<string>) body += piece;
    session.close();
    assert.equal((JSON.parse(body) as Part[]).length, 4);
    for (const server of [near, middle, far, second]) assert.equal(server.bodies.at(-1), 'by HTTP/2');
  });

  test('servers that fail are named; a service without servers is told as such', { timeout: 58_000 }, async () => {
    await using good = await EventServer.start('good');
    await using slow = await EventServer.start('slow', (response, body) => {
      if (body === '') response.end();
    });
    await using long = await EventServer.start('long', (response, body) => response.end(body === '' ? '' : 'x'.repeat(300_000)));
    await using broken = await EventServer.start('broken', (response, body) => {
      if (body === '') response.end();
      else response.socket?.destroy();
    });
    const [port, nobody] = [await freePort(), await freePort()];
    await using network = await Network.start({
      links: line(['near', 'middle', 'far']),
      entities: {
        near: [channel(port, { requestTimeoutMs: 1500 })],
        middle: [],
        far: [good.port, slow.port, long.port, broken.port, nobody].map((server) => connector(server)),
      },
    });
    await network.router('near').logged(/service port open/);
    using client = new HttpClient(port, 4);
    await reaching(client, 4);
    const found = parts(await post(client, 'event'));
    assert.equal(found.length, 5);
    assert.ok(found.every(({ site }) => site === routerId('far')));
    assert.deepEqual(found.map(({ status, error }) => error?.code ?? status).toSorted(), [
      200,
      'answer-too-long',
      'connect-failed',
      'server-failed',
      'timeout',
    ]);
    for (const server of [good, slow, long, broken]) assert.deepEqual(server.bodies, ['event'], 'no server gets an event twice');
    network.router('far').signal('SIGTERM');
    await network.router('far').ended;
    const answer = await post(client, 'nobody').catch(() => undefined);
    assert.ok(answer === undefined || answer.status === 503);
  });

  test(
    'a link that is cut in the middle: each event reaches each server at most once, and later ones all by the other way',
    { timeout: 58_000 },
    async () => {
      await using first = await EventServer.start('first', (response) => void setTimeout(() => response.end('first'), 20));
      await using second = await EventServer.start('second');
      const [port, linkPort] = [await freePort(), await freePort()];
      await using proxy = await LinkProxy.start(linkPort);
      await using network = await Network.start({
        links: [
          { from: 'c', to: 'b' },
          { from: 'a', to: 'd', cost: 2 },
          { from: 'c', to: 'd', cost: 2 },
        ],
        entities: {
          a: [channel(port), ['connector', { name: 'b', role: 'inter-router', host, port: proxy.port }]],
          b: [['listener', { name: 'proxied', role: 'inter-router', host, port: linkPort }]],
          c: [connector(first.port), connector(second.port)],
          d: [],
        },
      });
      for (const name of ['b', 'd']) await network.router(name).logged(/(link is up[^]*){2}/);
      using client = new HttpClient(port, 8);
      await reaching(client, 2);
      const outcomes = new Map<string, number>();
      let number = 0;
      const load = new AbortController();
      atEndOfTest(() => load.abort());
      const accepted = new Map<string, number>();
      const worker = async (): Promise<void> => {
        while (!load.signal.aborted) {
          const name = `event ${number++}`;
          const answer = await post(client, name);
          const codes =
            answer.status === 200 || answer.status === 502
              ? parts(answer).map(({ status, error }) => error?.code ?? status)
              : [answer.status];
          accepted.set(name, codes.filter((code) => code === 200).length);
          outcomes.set(codes.join(' '), (outcomes.get(codes.join(' ')) ?? 0) + 1);
        }
      };
      const workers = Array.from({ length: 8 }, worker);
      await sleep(500);
      proxy.cut(true);
      await sleep(1500);
      load.abort();
      await Promise.all(workers);
      console.log(`# outcomes with a link that was cut: ${[...outcomes].map(([outcome, count]) => `${outcome}: ${count}`).join('; ')}`);
      for (const { bodies } of [first, second]) assert.equal(new Set(bodies).size, bodies.length, 'no server gets an event twice');
      for (const [name, count] of accepted) {
        const reached = [first, second].filter(({ bodies }) => bodies.includes(name)).length;
        assert.ok(reached >= count, `${name} was answered by ${count} servers and reached ${reached}`);
      }
      assert.ok(
        [...outcomes.keys()].every((outcome) =>
          /^(?:200|link-lost|no-server|server-failed)(?: (?:200|link-lost|no-server|server-failed))*$/.test(outcome),
        ),
      );
      assert.ok((outcomes.get('200 200') ?? 0) > 20);
      assert.deepEqual(
        parts(await post(client, 'last')).map(({ status }) => status),
        [200, 200],
      );
    },
  );
});

/** `van subscribe` as a process of its own. */
class Subscriber implements AsyncDisposable {
  readonly #child: ChildProcess;
  out = '';
  error = '';
  readonly ended: Promise<number | null>;

  constructor(sandbox: VanSandbox, words: string) {
    const launcher = new URL('../../van', import.meta.url).pathname;
    this.#child = spawn(launcher, words.split(' '), {
      cwd: sandbox.folder,
      env: { ...process.env, ...sandbox.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.out += text));
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.error += text));
    this.ended = once(this.#child, 'close').then(([code]) => code as number | null);
  }

  get lines(): string[] {
    return this.out.split('\n').filter((text) => text !== '');
  }

  async subscribed(): Promise<void> {
    await until('the subscription', () => Promise.resolve(this.error.includes('Subscribed')));
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends the reader of what it prints. */
  closeOutput(): void {
    this.#child.stdout?.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended;
  }
}

interface Published {
  readonly outcome: string;
  readonly subscribers: number;
  readonly sites: number;
}

/** West, which accepts links, and others that are linked to it by tokens. */
async function star(sandbox: VanSandbox, others: readonly string[]): Promise<void> {
  const port = await freePort();
  await sandbox.done(`-n west site create west --enable-link-access --link-access-host ${host} --link-access-port ${port}`);
  for (const name of others) {
    await sandbox.done(`-n ${name} site create ${name}`);
    await sandbox.done(`-n west token issue ${name}.yaml`);
    await sandbox.done(`-n ${name} token redeem ${name}.yaml`);
  }
}

suite('van publish and van subscribe', { concurrency: false }, () => {
  test('over two hops each subscriber gets each message once, and the publisher hears of them', { timeout: 58_000 }, async () => {
    await using sandbox = await VanSandbox.make();
    await star(sandbox, ['east', 'north']);
    await using one = new Subscriber(sandbox, '-n east subscribe mc/news -o json');
    await using two = new Subscriber(sandbox, '-n east subscribe mc/news --count 2');
    await using middle = new Subscriber(sandbox, '-n west subscribe mc/news -o raw');
    for (const subscriber of [one, two, middle]) await subscriber.subscribed();
    const first = JSON.parse(
      await sandbox.done('-n north publish mc/news hello --wait-for 2 --type text/plain --subject greeting --header a=b -o json'),
    ) as Published;
    assert.deepEqual([first.outcome, first.subscribers, first.sites], ['accepted', 3, 2]);
    assert.equal(
      await sandbox.done('-n north publish mc/news -', { input: '\u001b[31mred\nline \u202e' }),
      'Accepted by 3 subscribers of "mc/news" at 2 sites.\n',
    );
    assert.equal(await two.ended, 0);
    assert.deepEqual(two.lines, ['hello', String.raw`\x1b[31mred\nline \u202e`]);
    await until('two messages', () => Promise.resolve(one.lines.length === 2 && middle.out.length > 10));
    const { messageId, ...shown } = JSON.parse(one.lines[0]) as Record<string, unknown>;
    assert.match(String(messageId), /^[0-9a-f-]{36}$/);
    assert.deepEqual(shown, { to: 'mc/news', subject: 'greeting', contentType: 'text/plain', headers: { a: 'b' }, body: 'hello' });
    assert.equal(middle.out, 'hello\u001b[31mred\nline \u202e');
    // Of another address one of two gets it.
    await using other = new Subscriber(sandbox, '-n east subscribe queue');
    await using another = new Subscriber(sandbox, '-n west subscribe queue');
    for (const subscriber of [other, another]) await subscriber.subscribed();
    assert.match(other.error, /\(balanced\)/);
    for (let index = 0; index < 4; index++) {
      const { subscribers } = JSON.parse(await sandbox.done(`-n north publish queue ${index} --wait-for 2 -o json`)) as Published;
      assert.equal(subscribers, 1);
    }
    await until('all messages', () => Promise.resolve(other.lines.length + another.lines.length === 4));
    // A reader that goes ends the command with the next message, and a signal at once.
    one.closeOutput();
    other.signal('SIGINT');
    await other.ended;
    await sandbox.done('-n north publish mc/news again');
    await one.ended;
    await until('that the subscriber is gone', async () => {
      const { subscribers } = JSON.parse(await sandbox.done('-n north publish mc/news last -o json')) as Published;
      return subscribers === 1;
    });
    middle.signal('SIGTERM');
    await middle.ended;
    await until('that nobody listens', async () => {
      const { code, out } = await sandbox.van('-n north publish mc/news nobody');
      return code === 1 && out === 'Released: nobody takes messages of "mc/news" now.\n';
    });
    const { code, error } = await sandbox.van('-n north publish mc/news x --wait-for 1 --timeout 1s');
    // Before it the command says what it waits for.
    const reason = error.split('\n').find((text) => text.startsWith('error:'));
    assert.deepEqual([code, reason], [1, `error: only 0 of 1 sites have consumers of 'mc/news'; the message was not sent`]);
    const end = new Subscriber(sandbox, '-n west subscribe mc/news');
    await end.subscribed();
    await sandbox.done('-n west site stop');
    assert.equal(await end.ended, 1);
    assert.match(end.error, /the site is shutting down/);
  });

  test('a link that is cut in the middle: later messages come by the other way, none twice', { timeout: 58_000 }, async () => {
    await using sandbox = await VanSandbox.make();
    const [firstPort, secondPort] = [await freePort(), await freePort()];
    const access = (port: number): string => `--enable-link-access --link-access-host ${host} --link-access-port ${port}`;
    await sandbox.done(`-n first site create first ${access(firstPort)}`);
    await sandbox.done(`-n second site create second ${access(secondPort)}`);
    for (const name of ['second', 'publisher', 'listener']) {
      if (name !== 'second') await sandbox.done(`-n ${name} site create ${name}`);
      await sandbox.done(`-n first token issue ${name}.yaml`);
      await sandbox.done(`-n ${name} token redeem ${name}.yaml`);
    }
    await using proxy = await LinkProxy.start(firstPort);
    const [{ metadata }] = JSON.parse(await sandbox.done('-n publisher link status -o json')) as { metadata: { name: string } }[];
    const links = [link(metadata.name, proxy.port, 1), link('detour', secondPort, 2)];
    await sandbox.done('-n publisher apply -f - --wait ready', { input: links.join('---\n') });
    await sandbox.done('-n listener apply -f - --wait ready', { input: link('detour', secondPort, 2) });
    await using subscriber = new Subscriber(sandbox, '-n listener subscribe mc/news');
    await subscriber.subscribed();
    const outcomes: string[] = [];
    const publish = async (text: string): Promise<void> => {
      const { out } = await sandbox.van(`-n publisher publish mc/news ${text} --wait-for 1 -o json`);
      const { outcome, subscribers } = JSON.parse(out) as Published;
      outcomes.push(`${text} ${outcome}`);
      assert.ok(subscribers <= 1);
      if (outcome === 'accepted') assert.equal(subscribers, 1);
    };
    for (let index = 0; index < 12; index++) {
      const published = publish(`message-${index}`);
      if (index === 4) proxy.cut(true);
      await published;
    }
    console.log(`# ${outcomes.join(', ')}`);
    const accepted = outcomes.filter((text) => text.endsWith(' accepted')).map((text) => text.split(' ')[0]);
    assert.ok(accepted.length >= 10);
    await until('all accepted messages', () => Promise.resolve(accepted.every((text) => subscriber.lines.includes(text))));
    assert.equal(new Set(subscriber.lines).size, subscriber.lines.length);
    assert.match(await sandbox.done('-n publisher site logs'), /link is down/);
  });
});

function link(name: string, port: number, cost: number): string {
  return `apiVersion: skupper.io/v2alpha1
kind: Link
metadata: {name: ${name}}
spec:
  cost: ${cost}
  endpoints: [{name: inter-router, host: ${host}, port: "${port}"}]
`;
}
