/**
 * Collects flow records as an observer does, over the AMQP port of a router: `node bench/flow-observer.ts PORT`. Prints `observing` when it has
 * heard of two routers, and at its end how many messages came.
 */
import rhea from 'rhea';
import type { EventContext } from 'rhea';

const routers = 2;
const port = Number(process.argv[2]);
const container = rhea.create_container();
const connection = container.connect({ host: '127.0.0.1', port, reconnect: true } as rhea.ConnectionOptions);
const sources = new Set<string>();
let messages = 0;

function listen(address: string): void {
  connection.open_receiver({ source: address, credit_window: 1000 }).on('message', () => messages++);
}

connection.open_receiver('mc/sfe.all').on('message', ({ message }: EventContext) => {
  const told = (message?.application_properties ?? {}) as { readonly id?: string; readonly address?: string; readonly direct?: string };
  const { id, address, direct } = told;
  if (id === undefined || address === undefined || direct === undefined || sources.has(id)) return;
  sources.add(id);
  for (const suffix of ['', '.flows', '.logs', '.caravan']) listen(address + suffix);
  const sender = connection.open_sender(direct);
  sender.once('sendable', () => sender.send({ subject: 'FLUSH', to: direct, body: null }));
  if (sources.size === routers) process.stdout.write('observing\n');
});
container.on('error', (error: Error) => process.stderr.write(`${error.message}\n`));
process.once('SIGTERM', () => {
  process.stdout.write(`${messages} messages\n`);
  process.exit(0);
});
