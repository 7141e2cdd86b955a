import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:tls';
import type { ConnectionOptions } from 'node:tls';
import type { LinkPort } from './trust-fixtures.test.ts';

/** What tests of redemption share: raw requests to a link port, and issuers that are killed. */

/** Sends text as it is and returns all that comes back, until the server closes. */
export async function exchangeRaw(port: LinkPort, text: string | undefined, options: ConnectionOptions = {}): Promise<string> {
  const socket = connect({ host: port.host, port: port.port, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'], ...options });
  socket.on('error', () => undefined);
  if (text !== undefined) socket.write(text);
  let answer = '';
  socket.on('data', (chunk) => (answer += String(chunk)));
  await once(socket, 'close');
  return answer;
}

export function post(path: string, body: string): string {
  return `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

/**
 * An issuer in a process of its own that is killed while it redeems: at its n-th signature after the request came in
 * (the cryptography it is given does that), or at a moment that the test chooses.
 */
const issuerProgram = `
  import { TrustStore } from ${JSON.stringify(import.meta.resolve('./trust-store.ts'))};
  import { silentLogger } from ${JSON.stringify(import.meta.resolve('../base/log.ts'))};
  import { systemRandom } from ${JSON.stringify(import.meta.resolve('../pki/fixtures.test.ts'))};
  const [folder, requestText, grantId, killAt] = process.argv.slice(1);
  let signatures = 0;
  const subtle = new Proxy(crypto.subtle, {
    get(target, name) {
      if (name === 'sign' && ++signatures === Number(killAt)) process.kill(process.pid, 'SIGKILL');
      const member = target[name];
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
  const store = await TrustStore.open(folder, { wallMs: () => Date.now(), log: silentLogger, crypto: { subtle, random: systemRandom } });
  process.stdout.write('ready ');
  const result = await store.redeem(grantId, JSON.parse(requestText), '');
  process.stdout.write(JSON.stringify(result));
  await store[Symbol.asyncDispose]();
`;

/** Runs the issuer and gives what it said until it ended. */
export async function runIssuer(folder: string, request: object, grantId: string, killAt: number, killAfterMs?: number): Promise<string> {
  const parameters = [folder, JSON.stringify(request), grantId, String(killAt)];
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', issuerProgram, '--', ...parameters], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => {
    if (output === '' && killAfterMs !== undefined) setTimeout(() => child.kill('SIGKILL'), killAfterMs);
    output += String(chunk);
  });
  await once(child, 'close');
  return output;
}
