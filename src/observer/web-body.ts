import type { IncomingMessage } from 'node:http';
import { failure } from './web-answer.ts';
import type { Answer } from './web-answer.ts';

/** A login has a code of 43 characters, or a name and a password of at most 256. */
const maxBodyBytes = 4096;

/**
 * Reads a body as JSON; an empty one is `{}`. JSON is the only type: browsers send it to another origin only after asking that
 * origin, which this server never allows.
 */
export async function readJsonBody(request: IncomingMessage): Promise<{ readonly value: unknown } | { readonly answer: Answer }> {
  const { headers } = request;
  if (!/^application\/json(?:\s*;\s*charset="?utf-8"?)?$/i.test(headers['content-type'] ?? '')) {
    return { answer: failure(415, 'wrong-content-type', 'send application/json') };
  }
  if (headers['content-encoding'] !== undefined) return { answer: failure(415, 'wrong-content-encoding', 'send it as it is') };
  const tooLarge = { answer: failure(413, 'too-large', `a body has at most ${maxBodyBytes} bytes`) };
  if (Number(headers['content-length'] ?? 0) > maxBodyBytes) return tooLarge;
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBodyBytes) return tooLarge;
    chunks.push(chunk);
  }
  try {
    return { value: length === 0 ? {} : (JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))) as unknown) };
  } catch {
    return { answer: failure(400, 'malformed', 'the body is no JSON') };
  }
}
