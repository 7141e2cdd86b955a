import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, Socket, type AddressInfo, type Server } from 'node:net';
import { test } from 'node:test';
import { silentLogger } from '../../base/log.ts';
import { ip, namespacesMissing } from '../../kernel/netlink/namespace-rig.test.ts';
import { loadInternetCalls, NamespaceSockets } from '../../kernel/netlink/namespace-sockets.ts';
import { loadSocketCalls } from '../../kernel/netlink/socket-calls.ts';
import { HostJoinedEndpoints } from './joined-endpoints.ts';
import { freePort } from '../../../test/e2e/ports.ts';

const skip = namespacesMissing();
const source = '127.0.0.9';

/** An endpoint whose namespace has no other link than loopback: where the VPC would be. */
class Bench implements AsyncDisposable {
  readonly calls = loadSocketCalls();
  readonly internet = loadInternetCalls(this.calls);
  readonly joined: HostJoinedEndpoints;
  readonly name = `t${process.pid}`;
  readonly #stack = new AsyncDisposableStack();
  netns = '';
  sockets!: NamespaceSockets;

  constructor() {
    const { calls, internet } = this;
    this.joined = this.#stack.use(new HostJoinedEndpoints({ calls, internet, nowMs: () => performance.now(), log: silentLogger }));
    this.#stack.defer(() => this.joined.removed(this.name));
  }

  static async open(): Promise<Bench> {
    const bench = new Bench();
    bench.netns = await bench.joined.namespaceOf(bench.name);
    ip(bench.netns.slice('/run/netns/'.length), 'link', 'set', 'lo', 'up');
    bench.sockets = bench.#stack.use(new NamespaceSockets(bench.calls, bench.internet, bench.netns));
    return bench;
  }

  place(ports: Partial<Parameters<HostJoinedEndpoints['placed']>[0]>): Promise<string | undefined> {
    const { name, netns } = this;
    return this.joined.placed({ name, netns, addresses: [source], forward: [], offer: [], ...ports });
  }

  /** Listens on the host, or at the descriptor of a socket elsewhere. */
  async listen(served: (socket: Socket) => void, descriptor?: number): Promise<number> {
    const server: Server = createServer({ allowHalfOpen: true }, served);
    server.listen(descriptor === undefined ? { host: '127.0.0.1', port: 0 } : { fd: descriptor });
    await once(server, 'listening');
    this.#stack.defer(() => void server.close());
    return (server.address() as AddressInfo).port;
  }

  /** A client in the namespace. */
  client(port: number): Socket {
    const socket = new Socket({ fd: this.sockets.bound('tcp', '127.0.0.1', 0), allowHalfOpen: true });
    return socket.connect({ host: source, port });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

/** All that a socket says until its end. It stays open for what is said to it. */
async function textOf(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (octets: Buffer) => (text += octets.toString()));
  await once(socket, 'end');
  return text;
}

/** A free port of the host. */
test('forward: what a client in the VPC says reaches the program on the host; an end goes on as an end', { skip }, async () => {
  await using bench = await Bench.open();
  const port = await bench.listen((socket) => void textOf(socket).then((text) => socket.end(`heard ${text.length}`)));
  assert.equal(await bench.place({ forward: [{ protocol: 'tcp', port: 80, to: `127.0.0.1:${port}` }] }), undefined);
  const client = bench.client(80);
  client.end(Buffer.alloc(1_000_000, 'x'));
  assert.equal(await textOf(client), 'heard 1000000');
});

test('offer: a client on the host reaches a program in the VPC, which sees the address of the endpoint', { skip }, async () => {
  await using bench = await Bench.open();
  await bench.listen(
    (socket) => void textOf(socket).then((text) => socket.end(`${socket.remoteAddress ?? ''} ${text}`)),
    bench.sockets.bound('tcp', '127.0.0.1', 8080),
  );
  const port = await freePort();
  assert.equal(await bench.place({ offer: [{ protocol: 'tcp', listen: `127.0.0.1:${port}`, to: '127.0.0.1:8080' }] }), undefined);
  const client = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
  client.end('hello');
  assert.equal(await textOf(client), `${source} hello`);
});

test('a reset goes on as a reset, and so does a program that does not listen', { skip }, async () => {
  await using bench = await Bench.open();
  const port = await bench.listen((socket) => socket.once('data', () => socket.resetAndDestroy()));
  const nobody = await freePort();
  await bench.place({
    forward: [
      { protocol: 'tcp', port: 80, to: `127.0.0.1:${port}` },
      { protocol: 'tcp', port: 81, to: `127.0.0.1:${nobody}` },
    ],
  });
  for (const to of [80, 81]) {
    const client = bench.client(to);
    client.write('x');
    const [error] = (await once(client, 'error')) as [NodeJS.ErrnoException];
    assert.equal(error.code, 'ECONNRESET');
  }
});

test('datagrams go there and back, each client by itself', { skip }, async () => {
  await using bench = await Bench.open();
  const program = createSocket('udp4');
  program.on('message', (octets, from) => program.send(`${octets.toString()} ${from.port}`, from.port, from.address));
  program.bind(0, '127.0.0.1');
  await once(program, 'listening');
  await bench.place({ forward: [{ protocol: 'udp', port: 53, to: `127.0.0.1:${program.address().port}` }] });
  const seen = new Set<string>();
  for (const name of ['a', 'b']) {
    const client = createSocket('udp4');
    client.bind({ fd: bench.sockets.bound('udp', '127.0.0.1', 0) });
    client.send(name, 53, source);
    const [octets] = (await once(client, 'message')) as [Buffer];
    const [said = '', port = ''] = octets.toString().split(' ');
    assert.equal(said, name);
    seen.add(port);
    client.close();
  }
  assert.equal(seen.size, 2);
  program.close();
});

test('datagrams of the host reach a program in the VPC', { skip }, async () => {
  await using bench = await Bench.open();
  const program = createSocket('udp4');
  program.bind({ fd: bench.sockets.bound('udp', '127.0.0.1', 5353) });
  program.on('message', (octets, from) => program.send(`${from.address} ${octets.toString()}`, from.port, from.address));
  const port = await freePort();
  await bench.place({ offer: [{ protocol: 'udp', listen: `127.0.0.1:${port}`, to: '127.0.0.1:5353' }] });
  const client = createSocket('udp4');
  client.send('hello', port, '127.0.0.1');
  const [octets] = (await once(client, 'message')) as [Buffer];
  assert.equal(octets.toString(), `${source} hello`);
  client.close();
  program.close();
});

test(
  'what cannot be is told; ports that are not wanted any more close, with their connections; a namespace is made once',
  { skip },
  async () => {
    await using bench = await Bench.open();
    const ended = Promise.withResolvers<void>();
    const port = await bench.listen((socket) => {
      socket.on('error', () => ended.resolve());
      socket.resume().write('x');
    });
    const taken = `127.0.0.1:${port}`;
    const offer = [{ protocol: 'tcp', listen: taken, to: '127.0.0.1:1' }] as const;
    assert.match((await bench.place({ offer })) ?? '', /EADDRINUSE/);
    assert.match(
      (await bench.place({ offer: [{ protocol: 'tcp', listen: '127.0.0.1:1', to: '[fd00::1]:1' }] })) ?? '',
      /no address of that family/,
    );
    const forward = [{ protocol: 'tcp', port: 80, to: taken }] as const;
    assert.equal(await bench.place({ forward }), undefined);
    assert.equal(await bench.place({ forward }), undefined);
    const client = bench.client(80);
    await once(client, 'data');
    assert.equal(await bench.place({}), undefined);
    assert.equal(((await once(client, 'error')) as [NodeJS.ErrnoException])[0].code, 'ECONNRESET');
    await ended.promise;
    const refused = bench.client(80);
    assert.equal(((await once(refused, 'error')) as [NodeJS.ErrnoException])[0].code, 'ECONNREFUSED');
    assert.equal(await bench.joined.namespaceOf(bench.name), bench.netns);
    await bench.joined.gone(bench.name);
  },
);

test('a port has 1,024 connections and no more; one that ends makes room', { skip }, async () => {
  await using bench = await Bench.open();
  const program: Socket[] = [];
  const port = await bench.listen((socket) => {
    program.push(socket);
    socket.on('error', () => undefined);
    socket.resume().write('x');
  });
  await bench.place({ forward: [{ protocol: 'tcp', port: 80, to: `127.0.0.1:${port}` }] });
  const clients = Array.from({ length: 1024 }, () => bench.client(80));
  await Promise.all(clients.map((client) => once(client, 'data')));
  const refused = bench.client(80);
  assert.equal(((await once(refused, 'error')) as [NodeJS.ErrnoException])[0].code, 'ECONNRESET');
  const closed = once(program[0]!, 'close');
  clients[0]!.end();
  program[0]!.end();
  await closed;
  const another = bench.client(80);
  await once(another, 'data');
  for (const client of [...clients, another]) client.resetAndDestroy();
});
