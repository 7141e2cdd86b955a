import { connect } from 'node:net';

const timeoutMs = 5000;

/** Sends one management request to a Caravan router's socket and gives the body of the answer; throws when it is refused. */
export async function manage<T>(path: string, request: Readonly<Record<string, unknown>>): Promise<T> {
  return await new Promise((resolve, reject) => {
    const socket = connect(path);
    let text = '';
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`no answer on ${path}`)));
    socket.once('connect', () => socket.write(`${JSON.stringify({ id: 1, ...request })}\n`));
    socket.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
      if (!text.endsWith('\n')) return;
      const answer = JSON.parse(text) as { statusCode: number; statusDescription: string; body: T };
      if (answer.statusCode < 300) resolve(answer.body);
      else reject(new Error(`${JSON.stringify(request)}: ${answer.statusCode} ${answer.statusDescription}`));
      socket.destroy();
    });
    socket.once('error', reject);
    socket.once('close', () => reject(new Error(`${path} was closed before the answer`)));
  });
}
