import { connect } from 'node:net';
import { apacheBackEnd, haproxyBackEnd, nginxBackEnd, nodeBackEnd } from '../../conformance/back-ends.ts';
import type { BackEnd } from '../../conformance/back-ends.ts';
import { answersIn, checkAll, mutatedInputs } from '../../conformance/smuggling-check.ts';
import type { Answer } from '../../conformance/smuggling-check.ts';
import { smugglingCorpus } from '../../conformance/smuggling-corpus.ts';
import type { SmugglingCase } from '../../conformance/smuggling-corpus.ts';
import { outcomeOf } from '../../conformance/smuggling-front.ts';
import { downgradeCount, smugglingDowngrades } from '../rig/downgrades.ts';
import { hostileAnswers, HostileServer } from '../rig/hostile-answers.ts';
import { httpFronts } from '../rig/http-fronts.ts';
import type { HttpFront, StartFront } from '../rig/http-fronts.ts';
import type { Measured, PeerFigures, Row, RowContext } from '../row.ts';

const host = '127.0.0.1';
const mutations = { full: 100_000, fast: 2000 };
/** Inputs of one batch of mutations. */
const batchInputs = 500;
/** Cases that are under way at a time. */
const casesAtATime = 8;
/** Nothing more comes after so much silence. */
const quietMs = 400;
const octets = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));

interface Heard {
  readonly answers: readonly Answer[];
  readonly closed: boolean;
}

/** Sends octets and listens until the other end closes or is quiet. */
async function hear(port: number, sent: Uint8Array, methods: readonly string[] = []): Promise<Heard> {
  return await new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = connect(port, host, () => socket.write(sent));
    const finish = (closed: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ answers: answersIn(new Uint8Array(Buffer.concat(chunks)), methods), closed });
    };
    const timer = setTimeout(() => finish(false), quietMs);
    socket.on('data', (bytes: Buffer) => {
      chunks.push(bytes);
      timer.refresh();
    });
    socket.on('error', () => {});
    socket.on('close', () => finish(true));
  });
}

/**
 * What a server tells that it has seen, answer by answer: method, target and host; undefined = the answer says nothing of it. Requests that name
 * no host get that of the server: `default` in the corpus.
 */
function seenIn({ answers }: Heard): (string | undefined)[] {
  return answers.map(({ text }) => {
    if (!text.startsWith('echo ')) return undefined;
    return text
      .split(' ')
      .filter((word) => word !== 'HTTP/1.1')
      .slice(1, 4)
      .join(' ')
      .replace(/ 127\.0\.0\.1:\d+$/, ' default');
  });
}

/** What servers have to tell of a request of the corpus, as it is written anew. */
function expectedSeen(request: string): string {
  const [, method, target, name] = /^(\S+) (\S+) HTTP\/1\.1\r\nhost: (\S+)\r\n/.exec(request) ?? [];
  return `${method} ${target} ${name}`;
}

/** Whether what came back is what the corpus says. A server may refuse what it does not know. */
function isAsWritten({ refused, passes = [] }: SmugglingCase, heard: Heard): boolean {
  const { answers, closed } = heard;
  if (refused !== undefined) return closed && answers.length === 1 && answers[0].status === refused;
  const seen = seenIn(heard);
  if (seen.length > passes.length) return false;
  for (const [index, one] of seen.entries()) {
    if (one !== undefined && one !== expectedSeen(passes[index])) return false;
    // Behind a refusal by the server the connection may be over.
    if (one === undefined && answers[index].status >= 400) return true;
  }
  return seen.length === passes.length;
}

/** The same request in one spelling: servers tell an absolute target as it is or without its host, and no host in several ways. */
function plain(seen: string | undefined): string | undefined {
  if (seen === undefined) return undefined;
  const [method, target = '', name = ''] = seen.split(' ');
  const path = target.replace(/^[a-z]+:\/\/[^/?]*/i, '');
  return `${method} ${path === '' ? '/' : path} ${name === 'undefined' ? '' : name}`;
}

/** Whether two servers were made to see different requests. A refusal by one says nothing. */
function differ(one: Heard, other: Heard): boolean {
  const [left, right] = [seenIn(one), seenIn(other)];
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const says = [left, right].filter((seen) => index < seen.length).map((seen) => plain(seen[index]));
    if (says.includes(undefined)) return false;
    if (says.length < 2 || says[0] !== says[1]) return true;
  }
  return false;
}

interface Tried {
  /** Cases in which something else comes back than the corpus says. */
  readonly otherwise: string[];
  /** Cases in which servers were made to see different requests. */
  readonly disagreements: string[];
  /** Cases after which another client got an answer that was not its own. */
  readonly poisoned: string[];
  readonly front: string;
}

/** The port speaks HTTP/2, too: its preface is no wrong request there. */
const corpus = smugglingCorpus.filter(({ octets: input }) => !input.startsWith('PRI '));

async function tryCorpus(context: RowContext, front: HttpFront, servers: readonly BackEnd[]): Promise<Tried> {
  const tried: Tried = { otherwise: [], disagreements: [], poisoned: [], front: front.name };
  const waiting = corpus.entries();
  const work = async (): Promise<void> => {
    for (const [number, one] of waiting) {
      context.signal.throwIfAborted();
      const input = octets(one.octets);
      const methods = (one.passes ?? []).map((request) => request.slice(0, request.indexOf(' ')));
      const heard = await Promise.all(front.ports.map(async (port) => await hear(port, input, methods)));
      for (const [index, each] of heard.entries())
        if (!isAsWritten(one, each)) tried.otherwise.push(`${servers[index].name}, ${one.what}: ${JSON.stringify(each)}`);
      if (heard.slice(1).some((each) => differ(heard[0], each))) tried.disagreements.push(one.what);
      const probe = octets(`GET /probe-${number} HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n`);
      for (const port of front.ports)
        if (seenIn(await hear(port, probe))[0] !== `GET /probe-${number} probe`) tried.poisoned.push(one.what);
    }
  };
  await Promise.all(Array.from({ length: casesAtATime }, work));
  return tried;
}

interface AnswersTried {
  readonly otherwise: string[];
  /** Answers after which the next request, of this client or another, got what was not its own. */
  readonly split: string[];
}

async function tryAnswers(context: RowContext, start: StartFront): Promise<AnswersTried> {
  await using server = await new HostileServer().start();
  await using front = await start([server.port]);
  const [port] = front.ports;
  const tried: AnswersTried = { otherwise: [], split: [] };
  for (const [number, { name, status }] of hostileAnswers.entries()) {
    context.signal.throwIfAborted();
    const ask = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: h\r\n\r\n`;
    const { answers } = await hear(port, octets(ask(`/hostile-${number}`) + ask(`/next-${number}`)));
    const [first, next] = answers;
    // 0: the answer had begun when its end turned out to be none.
    const isCut = status === 0 && (answers.length === 0 || first.status === 502 || first.status === 0);
    if (!isCut && first?.status !== status) tried.otherwise.push(`${name}: ${JSON.stringify(answers)}`);
    const other = await hear(port, octets(ask(`/other-${number}`)));
    const strange = (one: Answer | undefined, path: string): boolean =>
      one !== undefined && one.status === 200 && one.text !== `echo GET ${path}`;
    if (strange(next, `/next-${number}`) || strange(other.answers[0], `/other-${number}`)) tried.split.push(name);
  }
  return tried;
}

/** What the parser lets pass of mutated requests, sent to the servers; defects with the seed. */
async function tryMutations(context: RowContext, servers: readonly BackEnd[]): Promise<{ sent: number; defects: string[] }> {
  const seed = Date.now() >>> 0;
  const defects: string[] = [];
  let sent = 0;
  let batch: [string, readonly Uint8Array[]][] = [];
  const flush = async (): Promise<void> => {
    sent += batch.length;
    for (const server of servers)
      await checkAll(server, batch).catch((error: unknown) => defects.push((error as Error).message.slice(0, 1000)));
    batch = [];
  };
  let inputs = 0;
  for (const input of mutatedInputs(seed, context.fast ? mutations.fast : mutations.full)) {
    const { forwarded } = outcomeOf([input]);
    if (forwarded.length > 0) batch.push([`seed ${seed}`, forwarded]);
    if (++inputs % batchInputs !== 0) continue;
    context.signal.throwIfAborted();
    await flush();
  }
  await flush();
  return { sent, defects };
}

async function startServers(stack: AsyncDisposableStack): Promise<BackEnd[]> {
  const servers: BackEnd[] = [];
  for (const start of [nodeBackEnd, haproxyBackEnd, nginxBackEnd, apacheBackEnd]) {
    const server = await start();
    if ('missing' in server) continue;
    stack.defer(async () => await server.stop());
    servers.push(server);
  }
  return servers;
}

async function run(context: RowContext): Promise<Measured> {
  await using stack = new AsyncDisposableStack();
  const servers = await startServers(stack);
  const serverPorts = servers.map(({ port }) => port);
  const [startOwn, ...startPeers] = httpFronts(context.peers);
  const corpusOf = async (start: StartFront): Promise<Tried> => {
    await using front = await start(serverPorts);
    return await tryCorpus(context, front, servers);
  };
  const downgradesOf = async (start: StartFront): Promise<string[]> =>
    await smugglingDowngrades(async (serverPort) => {
      const front = await start([serverPort]);
      return { port: front.ports[0], [Symbol.asyncDispose]: async () => await front[Symbol.asyncDispose]() };
    });
  const own = await corpusOf(startOwn);
  const answers = await tryAnswers(context, startOwn);
  const downgrades = await downgradesOf(startOwn);
  const peers: Record<string, PeerFigures> = {};
  for (const start of startPeers) {
    const theirs = await corpusOf(start);
    const theirAnswers = await tryAnswers(context, start);
    peers[theirs.front] = {
      'servers see different requests': theirs.disagreements.length,
      'another client got a wrong answer': theirs.poisoned.length + theirAnswers.split.length,
      'smuggled from HTTP/2': (await downgradesOf(start)).length,
    };
  }
  const { sent, defects } = await tryMutations(context, servers);
  return {
    figures: [
      {
        name: 'requests that are neither refused nor seen as one thing by all servers',
        value: own.otherwise.length + own.disagreements.length,
        unit: '',
        floor: 0,
      },
      { name: 'wrong answers to other requests', value: own.poisoned.length + answers.split.length, unit: '', floor: 0 },
      { name: 'hostile answers that are passed on', value: answers.otherwise.length, unit: '', floor: 0 },
      { name: 'requests smuggled out of HTTP/2', value: downgrades.length, unit: '', floor: 0 },
      { name: 'mutations that servers see otherwise than we do', value: defects.length, unit: '', goal: 0 },
      {
        name: 'mutations',
        value: context.fast ? mutations.fast : mutations.full,
        unit: '',
        better: 'higher',
        goal: 100_000,
        judged: !context.fast,
      },
    ],
    peers,
    detail: {
      servers: servers.map(({ name }) => name),
      requests: corpus.length,
      answers: hostileAnswers.length,
      downgrades: downgradeCount,
      mutationsPassedOn: sent,
      defects: defects.slice(0, 5),
      own,
      hostileAnswers: answers,
      smuggledDowngrades: downgrades,
    },
  };
}

export const smuggling: Row = {
  id: 'P4',
  title: 'HTTP/1 request smuggling and response splitting, through two routers to several kinds of server, also out of HTTP/2',
  floor: 'each input is refused, or is exactly one request at every server',
  goal: 'the same for 100,000 mutations',
  fast: true,
  shortened: '2,000 mutations',
  limitSeconds: { full: 600, fast: 60 },
  missing: () => undefined,
  run,
};
