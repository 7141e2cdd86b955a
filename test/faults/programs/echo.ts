/** `node echo.ts PORT`: sends back what comes, and the end. */
import { createServer } from 'node:net';

const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy());
  socket.pipe(socket);
});
server.listen(Number(process.argv[2]), '0.0.0.0', 1024, () => console.log('listening'));
process.once('SIGTERM', () => process.exit(0));
