import { once } from 'node:events';
import rhea from 'rhea';
import type { Connection, EventContext, Message, Sender } from 'rhea';
import { freePort } from '../demo/free-port.ts';
import { TwoSites } from '../two-sites.ts';

const requests = 5;

function port(name: string, number: number): string {
  return `
apiVersion: skupper.io/v2alpha1
kind: Listener
metadata:
  name: messaging
spec:
  routingKey: squares
  type: amqp
  host: 127.0.0.1
  port: ${number}
  settings:
    addresses: squares, ${name}.*
`;
}

function connect(number: number): Connection {
  return rhea.create_container().connect({ host: '127.0.0.1', port: number, reconnect: false });
}

/** Answers each request with the square of its number, at the address that the request names. */
function work(connection: Connection): void {
  const answers: Sender = connection.open_sender({});
  connection.open_receiver('squares').on('message', ({ message }: EventContext) => {
    const number = Number(message?.body);
    answers.send({ to: message?.reply_to ?? '', body: `${number} squared is ${number * number}` } as Message);
  });
}

await using sites = await TwoSites.start((text) => console.log(text));
const [far, near] = [await freePort(), await freePort()];
await sites.apply('far', port('far', far));
await sites.apply('near', port('near', near));

const worker = connect(far);
work(worker);
const client = connect(near);
const inbox = client.open_receiver({ source: { dynamic: true, address: '' } });
await once(inbox, 'receiver_open');
console.log(`answers go to ${inbox.source.address}`);
const sender = client.open_sender('squares');
// There is credit once the worker at the other site is known here.
await once(sender, 'sendable');
const answered = new Promise<void>((resolve) => {
  let count = 0;
  inbox.on('message', ({ message }: EventContext) => {
    console.log(`answer: ${String(message?.body)}`);
    count++;
    if (count === requests) resolve();
  });
});
for (let number = 1; number <= requests; number++) sender.send({ body: number, reply_to: inbox.source.address });
await answered;
for (const connection of [worker, client]) connection.close();
