import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram } from '../../../bench/tools.ts';
import { Authority } from '../../e2e/certificates.ts';
import { routerId } from '../../e2e/network.ts';
import { freePort } from '../../e2e/ports.ts';
import { RouterProcess } from '../../e2e/router-process.ts';
import type { Entity } from '../../e2e/router-process.ts';
import { caravan, routerKinds } from '../rig/router-kind.ts';
import type { RouterKind } from '../rig/router-kind.ts';
import type { Measured, PeerFigures, Row, RowContext } from '../row.ts';

const host = '127.0.0.1';

/** Runs a program to its end, whatever its exit code, and gives what it said. */
async function said(command: readonly string[], timeoutMs: number): Promise<string> {
  const [program = '', ...parameters] = command;
  const child = spawn(program, parameters, { stdio: ['ignore', 'pipe', 'pipe'], timeout: timeoutMs, killSignal: 'SIGKILL' });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (more: string) => (text += more));
  await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return text;
}

/** One thing that a link port must do or not do, as `openssl s_client` sees it. */
interface Probe {
  readonly name: string;
  readonly parameters: readonly string[];
  /** The handshake's result must match, or must not. */
  readonly pattern: RegExp;
  readonly wanted: boolean;
}

const lax = ['-cipher', 'ALL:@SECLEVEL=0'];
const handshake = /New, (?:TLSv1|SSLv3)\S*, Cipher is (?!\(NONE\))/;

const probes: readonly Probe[] = [
  { name: 'TLS 1.3 works', parameters: ['-tls1_3'], pattern: /New, TLSv1\.3, Cipher is TLS_/, wanted: true },
  { name: 'TLS 1.2', parameters: ['-tls1_2', ...lax], pattern: handshake, wanted: false },
  { name: 'TLS 1.1', parameters: ['-tls1_1', ...lax], pattern: handshake, wanted: false },
  { name: 'TLS 1.0', parameters: ['-tls1', ...lax], pattern: handshake, wanted: false },
  { name: 'anything below TLS 1.3', parameters: ['-no_tls1_3', ...lax], pattern: handshake, wanted: false },
  {
    name: 'a cipher without forward secrecy or authentication',
    parameters: ['-no_tls1_3', '-cipher', 'RSA:NULL:aNULL:RC4:3DES:@SECLEVEL=0'],
    pattern: handshake,
    wanted: false,
  },
  { name: 'early data', parameters: ['-tls1_3'], pattern: /Max Early Data: [1-9]/, wanted: false },
  { name: 'compression', parameters: ['-tls1_3', '-comp'], pattern: /Compression: (?!NONE)/, wanted: false },
  {
    name: 'a certificate is asked for',
    parameters: ['-tls1_3'],
    pattern: /Requested Signature Algorithms|Acceptable client certificate/,
    wanted: true,
  },
];

/** What testssl.sh and sslscan find, where they are installed. */
async function scan(port: number, folder: string): Promise<string[]> {
  const findings: string[] = [];
  const testssl = findProgram('testssl') ?? findProgram('testssl.sh');
  if (testssl !== undefined) {
    const file = join(folder, `testssl-${port}.json`);
    await said([testssl, '--jsonfile', file, '--warnings', 'off', '--color', '0', '-p', '-s', '-S', '-U', `${host}:${port}`], 150_000);
    const found = JSON.parse(await readFile(file, 'utf8').catch(() => '[]')) as { id: string; severity: string; finding: string }[];
    for (const { id, severity, finding } of found) {
      // The certificate is of a network of its own: no public authority, and no place to ask for revocation.
      const isOwnRoot = /^cert_|^cert$|OCSP|CRL|CA_issuers|chain|trust|DNS_CAA|scanTime|engine_problem|HPKP|HSTS|overall_grade/i.test(id);
      if (/LOW|MEDIUM|HIGH|CRITICAL/.test(severity) && !isOwnRoot) findings.push(`testssl ${id}: ${finding}`);
    }
  }
  if (findProgram('sslscan') !== undefined) {
    const text = await said(['sslscan', '--no-colour', `${host}:${port}`], 60_000);
    for (const [line, name] of text.matchAll(/^(SSLv\S+|TLSv\S+)\s+enabled/gm))
      if (name !== 'TLSv1.3') findings.push(`sslscan ${line.trim()}`);
  }
  return findings;
}

async function findingsOf(context: RowContext, kind: RouterKind): Promise<string[]> {
  await using authority = await Authority.make();
  const port = await freePort();
  const id = routerId('public');
  const tls = { sslProfile: 'links', saslMechanisms: 'EXTERNAL', authenticatePeer: true };
  const entities: Entity[] = [
    authority.profile(await authority.issue(id), kind.ownNetwork),
    ['listener', { name: 'incoming', role: 'inter-router', host, port, ...tls }],
  ];
  await using _router = await RouterProcess.start({ id, entities, command: kind.command, ready: kind.ready });
  const folder = await mkdtemp(join(tmpdir(), 'caravan-tls-'));
  try {
    const findings: string[] = [];
    for (const { name, parameters, pattern, wanted } of probes) {
      context.signal.throwIfAborted();
      const text = await said(['openssl', 's_client', '-connect', `${host}:${port}`, '-alpn', 'amqp', ...parameters], 10_000);
      if (pattern.test(text) !== wanted) findings.push(wanted ? `not so: ${name}` : name);
    }
    if (!context.fast) findings.push(...(await scan(port, folder)));
    return findings;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function run(context: RowContext): Promise<Measured> {
  const findings = await findingsOf(context, caravan);
  const peers: Record<string, PeerFigures> = {};
  for (const kind of routerKinds(context.peers).slice(1)) {
    const theirs = await findingsOf(context, kind);
    peers[kind.name] = { findings: theirs.length, which: theirs.join('; ') };
  }
  return {
    figures: [{ name: 'findings', value: findings.length, unit: '', floor: 0 }],
    peers,
    detail: { findings, probes: probes.length, scanners: ['testssl', 'sslscan'].filter((name) => findProgram(name) !== undefined) },
  };
}

export const tlsFloor: Row = {
  id: 'S2',
  title: 'What a stranger can negotiate at a link port',
  floor: 'TLS 1.3 alone, with client certificates, without early data',
  goal: 'nothing that testssl.sh or sslscan rate LOW or worse',
  fast: true,
  shortened: 'without testssl.sh and sslscan',
  limitSeconds: { full: 400, fast: 60 },
  missing: () => (findProgram('openssl') === undefined ? 'openssl is not installed' : undefined),
  run,
};
