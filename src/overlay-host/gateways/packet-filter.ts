import { spawn, type ChildProcess } from 'node:child_process';
import { WeatherError } from '../../base/errors.ts';
import { inNamespace, type NetworkNamespace } from '../../kernel/netlink/network-namespace.ts';
import type { SocketCalls } from '../../kernel/netlink/socket-calls.ts';

/** Takes rules for packets; of nftables, since nothing else does NAT. */
export const packetFilterProgram = 'nft';
/** A hundred times what it takes on a busy machine. */
const filterMs = 20_000;
const complaintLimit = 2000;

/**
 * Gives the kernel these rules of nftables, all of them or none, in the namespace or in the calling thread's. Rejects with WeatherError
 * `nft-missing` or `nft`.
 */
export async function applyRules(calls: SocketCalls, rules: string, namespace?: NetworkNamespace): Promise<void> {
  // The child is born in the namespace of the thread that makes it.
  const start = (): ChildProcess =>
    spawn(packetFilterProgram, ['-f', '-'], { stdio: ['pipe', 'ignore', 'pipe'], timeout: filterMs, cwd: '/' });
  const child = namespace === undefined ? start() : inNamespace(calls, namespace, start);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let complaint = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(0, complaintLimit);
  });
  child.once('error', (cause: NodeJS.ErrnoException) => reject(missing(cause)));
  child.once('close', (code) => {
    if (code === 0) resolve();
    else reject(new WeatherError('nft', `${packetFilterProgram} refused the rules of a gateway: ${complaint.trim()}`));
  });
  // A child that ends early has said why.
  child.stdin?.on('error', () => undefined).end(rules);
  await promise;
}

function missing(cause: NodeJS.ErrnoException): WeatherError {
  const isMissing = cause.code === 'ENOENT';
  return new WeatherError(isMissing ? 'nft-missing' : 'nft', `${packetFilterProgram} cannot be started: ${cause.message}`, {
    cause,
    remedy: 'ways out of a VPC need nftables (Debian: apt install nftables)',
  });
}
