/** `node nats-responder.ts NAME PORT,PORT...`: answers requests to `service`; on the message channel it gives the ids seen so far. */
import { NatsConnection } from './nats-connection.ts';

const [name = '', ports = ''] = process.argv.slice(2);
const ids: number[] = [];
const connection = new NatsConnection('127.0.0.1', ports.split(',').map(Number), 'service servers 1', ({ reply, payload }) => {
  ids.push(Number(payload));
  connection.publish(reply, '', name);
});
connection.ready = (): void => console.log('listening');
process.on('message', () => process.send?.(ids));
process.once('SIGTERM', () => process.exit(0));
