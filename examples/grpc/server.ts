/** Serves the example's service: `node examples/grpc/server.ts [port]`. */
import { startEchoServer } from './echo-service.ts';

const { port } = await startEchoServer(Number(process.argv[2] ?? 50_051));
console.log(`caravan.example.Echo at 127.0.0.1:${port}`);
