/** Calls the example's service: `node examples/grpc/call.ts [port] [text]`. */
import { credentials } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';
import { EchoClient } from './echo-service.ts';

const [port = '50052', text = 'hello'] = process.argv.slice(2);
const client = new EchoClient(`127.0.0.1:${port}`, credentials.createInsecure());
const { once } = client as unknown as {
  once(message: Buffer, options: { deadline: number }, reply: (error: ServiceError | null, message?: Buffer) => void): void;
};
once.call(client, Buffer.from(text), { deadline: Date.now() + 5_000 }, (error, message) => {
  client.close();
  if (error === null) {
    console.log(message?.toString());
    return;
  }
  console.error(`${error.code}: ${error.details}`);
  process.exitCode = 1;
});
