import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

import { freePort } from '../demo/free-port.ts';
import { TwoSites } from '../two-sites.ts';

/** Datagrams may be lost: a client asks again. */
const askAgainMs = 250;
const answerTimeoutMs = 15_000;

/** Answers each datagram with what it says, and from which port it came. */
const server = createSocket('udp4', (datagram, { port }) => server.send(`${String(datagram)} came from port ${port}`, port, '127.0.0.1'));
server.bind(0, '127.0.0.1');
await once(server, 'listening');

/** A client with a port of its own: sends until it is answered. */
async function ask(port: number, text: string): Promise<string> {
  const client = createSocket('udp4');
  try {
    const answers: string[] = [];
    client.on('message', (datagram) => answers.push(String(datagram)));
    // While nobody offers the address, this host says that the port is closed.
    client.on('error', () => undefined);
    client.connect(port, '127.0.0.1');
    await once(client, 'connect');
    const deadlineMs = performance.now() + answerTimeoutMs;
    for (;;) {
      const [answer] = answers;
      if (answer !== undefined) return answer;
      if (performance.now() > deadlineMs) throw new Error(`nobody answers at port ${port}`);
      client.send(text);
      await sleep(askAgainMs);
    }
  } finally {
    client.close();
  }
}

try {
  await using sites = await TwoSites.start((text) => console.log(text));
  const port = await freePort();
  await sites.apply(
    'far',
    `
apiVersion: skupper.io/v2alpha1
kind: Connector
metadata:
  name: echo
spec:
  routingKey: echo
  type: udp
  host: 127.0.0.1
  port: ${server.address().port}
`,
  );
  await sites.apply(
    'near',
    `
apiVersion: skupper.io/v2alpha1
kind: Listener
metadata:
  name: echo
spec:
  routingKey: echo
  type: udp
  host: 127.0.0.1
  port: ${port}
  settings:
    idle-timeout: 10s
`,
  );
  const answers = await Promise.all(['first', 'second', 'third'].map(async (text) => await ask(port, text)));
  for (const answer of answers) console.log(`answer: ${answer}`);
  const ports = new Set(answers.map((answer) => answer.slice(answer.lastIndexOf(' '))));
  if (ports.size !== answers.length) throw new Error('each client should have a port of its own at the server');
} finally {
  server.close();
}
