import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { NetlinkSocket } from '../../src/kernel/netlink/netlink-socket.ts';
import { NetworkNamespace } from '../../src/kernel/netlink/network-namespace.ts';
import { setOffload } from '../../src/kernel/netlink/offloads.ts';
import { loadSocketCalls } from '../../src/kernel/netlink/socket-calls.ts';
import { projectFolder } from '../source-files.ts';

interface Report {
  readonly success: boolean;
  readonly checks: readonly { code: string; result: string; seen: string; remedy: string | null }[];
}

const van = join(projectFolder, 'van');
const hasObject = existsSync(join(projectFolder, 'bpf/dist/overlay.o'));
const isLinux = process.platform === 'linux';
const isRoot = isLinux && process.getuid?.() === 0;
const needsRoot = isRoot ? false : 'needs root on Linux';
/** A doctor takes less than a second; this ends one that hangs. */
const timeoutMs = 30_000;

/** Runs the doctor, behind another program if need be, with code that Node loads before it. */
function doctor(options: {
  before?: readonly string[];
  preload?: string;
  words?: readonly string[];
}): Report & { readonly code: number | null; readonly pid: number } {
  const { before = [], preload, words = [] } = options;
  const [program = van, ...parameters] = [...before, van, 'overlay', 'doctor', '-o', 'json', ...words];
  const environment = preload === undefined ? {} : { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(preload)}` };
  const { pid, status, stdout, stderr } = spawnSync(program, parameters, {
    encoding: 'utf8',
    timeout: timeoutMs,
    env: { ...process.env, ...environment },
  });
  assert.notEqual(stdout, '', stderr);
  return { code: status, pid, ...(JSON.parse(stdout) as Report) };
}

/** As `ethtool -K LINK tx off`, which is not installed everywhere. */
async function withoutTransmitChecksum(namespaceName: string, linkName: string): Promise<void> {
  const calls = loadSocketCalls();
  using namespace = new NetworkNamespace(`/run/netns/${namespaceName}`);
  using socket = new NetlinkSocket(calls, namespace);
  await setOffload(calls, socket, linkName, 'transmitChecksum', false);
}

function resultOf({ checks }: Report, code: string): string | undefined {
  return checks.find((check) => check.code === code)?.result;
}

function wrong({ checks }: Report): string[] {
  return checks.filter(({ result }) => result === 'error').map(({ code }) => code);
}

suite('van overlay doctor', { concurrency: false }, () => {
  test('on another platform it says so, and nothing else', () => {
    const report = doctor({ preload: `Object.defineProperty(process, 'platform', { value: 'darwin' })` });
    assert.equal(report.code, 1);
    assert.deepEqual(
      report.checks.map(({ code, result }) => [code, result]),
      [['platform', 'error']],
    );
    assert.match(report.checks[0]?.remedy ?? '', /The rest of Caravan works here/);
  });

  test('without koffi it names what to install', { skip: !isLinux && 'needs Linux' }, () => {
    const missing = `import { registerHooks } from 'node:module';
registerHooks({ resolve(name, context, next) { if (name === 'koffi') throw new Error("Cannot find module 'koffi'"); return next(name, context); } });`;
    const report = doctor({ preload: missing });
    assert.equal(report.code, 1);
    const koffi = report.checks.find(({ code }) => code === 'koffi');
    assert.deepEqual([koffi?.result, koffi?.seen], ['error', "Cannot find module 'koffi'"]);
    assert.match(koffi?.remedy ?? '', /--omit=optional/);
    assert.equal(resultOf(report, 'uplink'), 'skipped');
  });

  test('without privileges it says which are missing', { skip: !isLinux && 'needs Linux' }, () => {
    const report = doctor({ before: isRoot ? ['setpriv', '--bounding-set=-all', '--inh-caps=-all'] : [] });
    assert.equal(report.code, 1);
    assert.ok(wrong(report).includes('privileges'));
    assert.match(report.checks.find(({ code }) => code === 'privileges')?.seen ?? '', /lacks CAP_NET_ADMIN/);
    assert.equal(resultOf(report, 'xdp'), 'skipped');
    assert.equal(resultOf(report, 'uplink'), 'skipped');
  });

  const library = isRoot ? /=> (\S+libbpf\.so\.1\S*)/.exec(spawnSync('ldconfig', ['-p'], { encoding: 'utf8' }).stdout)?.[1] : undefined;
  test('without libbpf it names the package', { skip: library === undefined && 'needs root and libbpf, to hide it' }, () => {
    const report = doctor({ before: ['unshare', '--mount', 'sh', '-c', `mount --bind /dev/null ${library} && exec "$@"`, 'sh'] });
    assert.equal(report.code, 1);
    assert.deepEqual(
      wrong(report).filter((code) => code !== 'programs'),
      ['libbpf'],
    );
    assert.match(report.checks.find(({ code }) => code === 'libbpf')?.remedy ?? '', /apt install libbpf1/);
  });

  const nft = isRoot ? spawnSync('sh', ['-c', 'command -v nft'], { encoding: 'utf8' }).stdout.trim() : '';
  test('without nftables there are no ways out, and the rest works', { skip: nft === '' && 'needs root and nft, to hide it' }, () => {
    assert.equal(resultOf(doctor({}), 'nftables'), 'ok');
    // What cannot be started is as good as missing.
    const hidden = doctor({ before: ['unshare', '--mount', 'sh', '-c', `mount --bind /dev/null ${nft} && exec "$@"`, 'sh'] });
    assert.equal(resultOf(hidden, 'nftables'), 'warning');
    assert.deepEqual(wrong(hidden), wrong(doctor({})));
  });

  const needs = needsRoot || (library === undefined ? 'needs libbpf' : !hasObject && 'needs bpf/dist/overlay.o (npm run build:bpf)');
  test('in a namespace with a veth as uplink: native XDP, the MTU, the way to a peer', { skip: needs }, async () => {
    const [host, wire] = [`cvdoc${process.pid}h`, `cvdoc${process.pid}w`];
    const ip = (line: string): string => execFileSync('ip', line.split(' '), { encoding: 'utf8' });
    const inHost = ['nsenter', `--net=/run/netns/${host}`];
    try {
      for (const name of [host, wire]) ip(`netns add ${name}`);
      ip(`-n ${host} link add up0 numrxqueues 1 numtxqueues 1 type veth peer wire0 netns ${wire} numrxqueues 1 numtxqueues 1`);
      ip(`-n ${host} address add 10.99.0.1/24 dev up0`);
      ip(`-n ${wire} address add 10.99.0.2/24 dev wire0`);

      const lost = doctor({ before: inHost });
      assert.deepEqual([lost.code, wrong(lost)], [1, ['uplink']]);
      assert.match(lost.checks.find(({ code }) => code === 'uplink')?.remedy ?? '', /--uplink NAME/);
      assert.deepEqual(wrong(doctor({ before: inHost, words: ['--uplink', 'up0'] })), ['uplink'], 'it is down');

      ip(`-n ${host} link set up0 up`);
      ip(`-n ${wire} link set wire0 up`);
      const first = doctor({ before: inHost, words: ['--uplink', 'up0'] });
      assert.deepEqual(wrong(first), []);
      const place = (report: Report): string => report.checks.find(({ code }) => code === 'uplink-transit')?.seen ?? '';
      assert.match(place(first), /^tc: a veth is a virtual link; .* unless: ethtool -K up0 tx off$/);
      await withoutTransmitChecksum(host, 'up0');
      const good = doctor({ before: inHost, words: ['--uplink', 'up0', '--peer', '10.99.0.2'] });
      assert.deepEqual([good.code, wrong(good)], [0, []]);
      assert.equal(place(good), 'tc: a veth is a virtual link');
      for (const code of ['programs', 'tc-filter', 'uplink', 'uplink-address', 'uplink-mtu', 'next-hop', 'xdp-native-uplink']) {
        assert.equal(resultOf(good, code), 'ok', code);
      }
      assert.match(good.checks.find(({ code }) => code === 'uplink-mtu')?.seen ?? '', /^MTU 1500: pods get 1418,/);
      assert.doesNotMatch(ip(`-n ${host} link show up0`), /xdp/, 'the program is off again');
      assert.doesNotMatch(ip('netns list'), new RegExp(`caravan-doctor-${good.pid}`));

      ip(`-n ${host} link set up0 mtu 1361`);
      const narrow = doctor({ before: inHost, words: ['--uplink', 'up0', '--peer', '10.99.0.3'] });
      assert.deepEqual([narrow.code, wrong(narrow)], [1, ['uplink-mtu', 'next-hop']]);
    } finally {
      for (const name of [host, wire]) spawnSync('ip', ['netns', 'del', name]);
    }
  });

  test('what is no address is refused', () => {
    const { status, stderr } = spawnSync(van, ['overlay', 'doctor', '--peer', '10.0.0'], { encoding: 'utf8', timeout: timeoutMs });
    assert.equal(status, 2);
    assert.match(stderr, /10\.0\.0 is no IPv4 address/);
  });
});
