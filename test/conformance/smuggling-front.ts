import { HeadWriter } from '../../src/services/http1/head-writer.ts';
import { Http1Listener } from '../../src/services/http1/http1-listener.ts';
import { OctetPool } from '../../src/services/http1/octet-pool.ts';
import type { FieldBlock, HttpHandler, RequestHead, RequestSink, Responder } from '../../src/services/http/exchange.ts';
import { VirtualSocket } from '../../src/sim/virtual-socket.ts';

/** What became of the octets of a client. */
export interface Outcome {
  /** Requests that were complete, as they would be written to servers, with each body as one chunk. */
  readonly forwarded: readonly Uint8Array[];
  /** Statuses of the answers that the client got. */
  readonly statuses: readonly number[];
  /** The connection was ended by us. */
  readonly closed: boolean;
}

const noFields: FieldBlock = new Uint8Array(0);

/** Sends octets to a client connection in memory, in pieces, and answers each request when it is complete. */
export function outcomeOf(pieces: readonly Uint8Array[], maxHeaderBytes = 16_384): Outcome {
  const later: (() => void)[] = [];
  const socket = new VirtualSocket((work) => later.push(work));
  const pool = new OctetPool();
  const writer = new HeadWriter(pool);
  const forwarded: Uint8Array[] = [];
  const handler: HttpHandler = {
    handle: (head: RequestHead, responder: Responder): RequestSink => {
      const body: Uint8Array[] = [];
      return {
        congested: false,
        data: (bytes, start, end) => void body.push(bytes.slice(start, end)),
        end: (trailers) => {
          forwarded.push(requestOctets(writer, head, Buffer.concat(body), trailers));
          responder.head({ status: 200, fields: noFields, contentLength: 0, hasBody: true, upgrade: false });
          responder.end(undefined);
        },
        abort(): void {},
        responseWritten(): void {},
      };
    },
  };
  const listener = new Http1Listener(
    handler,
    { nowMs: () => 0, wallMs: () => 0 },
    {
      scheme: 'http',
      maxHeaderBytes,
      headerTimeoutMs: 1_000,
      idleTimeoutMs: 1_000,
      errorAnswer: () => ({ fields: noFields, body: noFields }),
    },
  );
  listener.accept(socket, '', undefined);
  const settle = (): void => {
    for (let work = later.shift(); work !== undefined; work = later.shift()) work();
  };
  for (const piece of pieces) {
    socket.application.write(piece);
    settle();
  }
  settle();
  const { application } = socket;
  const statuses = [...application.text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]));
  return { forwarded, statuses, closed: application.ended || application.gone !== undefined };
}

function requestOctets(writer: HeadWriter, head: RequestHead, body: Uint8Array, trailers: FieldBlock | undefined): Uint8Array {
  const written = (): Uint8Array => writer.bytes.subarray(writer.start, writer.end);
  writer.request(head, 'default');
  const pieces: Uint8Array[] = [written()];
  if (head.contentLength >= 0) pieces.push(body);
  else {
    if (body.length > 0) {
      writer.chunk(body, 0, body.length);
      pieces.push(written());
    }
    writer.lastChunk(trailers);
    pieces.push(written());
  }
  return new Uint8Array(Buffer.concat(pieces));
}
