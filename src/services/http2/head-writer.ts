import type { StreamSocket } from '../../base/stream-socket.ts';
import type { FieldBlock, RequestHead, ResponseHead } from '../http/exchange.ts';
import { noFields } from '../http/field-block.ts';
import type { FrameWriter } from './frame-writer.ts';
import { HpackEncoder } from './hpack-encoder.ts';
import { StaticIndex } from './hpack-table.ts';
import { withoutKey, withoutProof } from './websocket-keys.ts';

/** More than all fields that stand in no block, with the longest numbers. */
const fixedBytes = 96;

/** Writes heads (RFC 9113 §8.3) to sockets. */
export class HeadWriter {
  readonly #writer: FrameWriter;

  constructor(writer: FrameWriter) {
    this.#writer = writer;
  }

  /** The head of a request; `host` is for those that name no authority. */
  request(
    socket: StreamSocket,
    encoder: HpackEncoder,
    streamId: number,
    head: RequestHead,
    scheme: 'http' | 'https',
    host: string,
    endStream: boolean,
  ): void {
    const { method, path, upgrade, contentLength } = head;
    const authority = head.authority === '' ? host : head.authority;
    const fields = upgrade === '' ? head.fields : withoutKey(head.fields);
    const textBytes = HpackEncoder.textBytes(path) + HpackEncoder.textBytes(authority) + method.length + upgrade.length;
    this.#writer.beginHead(encoder, fixedBytes + textBytes + HpackEncoder.blockBytes(fields));
    if (method === 'GET' && upgrade === '') encoder.indexed(StaticIndex.get);
    else if (method === 'POST') encoder.indexed(StaticIndex.post);
    else encoder.text(StaticIndex.get, upgrade === '' ? method : 'CONNECT');
    encoder.indexed(scheme === 'http' ? StaticIndex.http : StaticIndex.https);
    encoder.authority(authority);
    encoder.path(path);
    if (upgrade !== '') encoder.named(':protocol', upgrade);
    if (contentLength > 0) encoder.decimal(StaticIndex.contentLength, contentLength);
    if (head.expectContinue) encoder.text(StaticIndex.expect, '100-continue');
    encoder.fields(fields);
    this.#writer.endHead(socket, encoder, streamId, endStream);
  }

  /** The head of an answer. `date` is a block that is added. */
  answer(socket: StreamSocket, encoder: HpackEncoder, streamId: number, head: ResponseHead, date: FieldBlock, endStream: boolean): void {
    const { contentLength, hasBody, upgrade } = head;
    const status = upgrade ? 200 : head.status;
    const fields = upgrade ? withoutProof(head.fields) : head.fields;
    this.#begin(encoder, status, fields, date);
    // The end of the stream says that there is no body.
    const isSaid = contentLength > 0 || (contentLength === 0 && hasBody && !endStream);
    if (isSaid && !upgrade && status !== 204) encoder.decimal(StaticIndex.contentLength, contentLength);
    encoder.fields(fields);
    encoder.fields(date);
    this.#writer.endHead(socket, encoder, streamId, endStream);
  }

  /** An answer before the answer. */
  interim(socket: StreamSocket, encoder: HpackEncoder, streamId: number, status: number, fields: FieldBlock): void {
    this.#begin(encoder, status, fields, noFields);
    encoder.fields(fields);
    this.#writer.endHead(socket, encoder, streamId, false);
  }

  trailers(socket: StreamSocket, encoder: HpackEncoder, streamId: number, fields: FieldBlock): void {
    this.#writer.beginHead(encoder, fixedBytes + HpackEncoder.blockBytes(fields));
    encoder.fields(fields);
    this.#writer.endHead(socket, encoder, streamId, true);
  }

  #begin(encoder: HpackEncoder, status: number, fields: FieldBlock, date: FieldBlock): void {
    this.#writer.beginHead(encoder, fixedBytes + HpackEncoder.blockBytes(fields) + HpackEncoder.blockBytes(date));
    switch (status) {
      case 200:
        encoder.indexed(StaticIndex.status);
        return;
      case 204:
        encoder.indexed(StaticIndex.status + 1);
        return;
      case 206:
        encoder.indexed(StaticIndex.status + 2);
        return;
      case 304:
        encoder.indexed(StaticIndex.status + 3);
        return;
      case 400:
        encoder.indexed(StaticIndex.status + 4);
        return;
      case 404:
        encoder.indexed(StaticIndex.status + 5);
        return;
      case 500:
        encoder.indexed(StaticIndex.status + 6);
        return;
      default:
        encoder.decimal(StaticIndex.status, status);
    }
  }
}
