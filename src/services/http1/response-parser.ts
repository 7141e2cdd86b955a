import type { FieldBlock, ResponseHead } from '../http/exchange.ts';
import { FieldsOf } from './field-parser.ts';
import { HeadKind } from './head-buffer.ts';
import { badMessage } from './http-violation.ts';
import { MessageParser } from './message-parser.ts';
import type { OctetPool } from './octet-pool.ts';
import { carriageReturn, isDigit, isText, isValueOctet, lineFeed, space } from './octets.ts';

class ParsedResponse implements ResponseHead {
  readonly status: number;
  readonly fields: FieldBlock;
  readonly contentLength: number;
  readonly hasBody: boolean;
  readonly upgrade: boolean;

  constructor(status: number, fields: FieldBlock, contentLength: number, hasBody: boolean, upgrade: boolean) {
    this.status = status;
    this.fields = fields;
    this.contentLength = contentLength;
    this.hasBody = hasBody;
    this.upgrade = upgrade;
  }
}

/**
 * Reads a server's answers. Each 1xx other than 101 is a head and an end of its own. Before each answer the owner says by `expect` what
 * was asked.
 *
 *     "HTTP/1." ("0" | "1") SP status [SP reason] CR LF  fields  CR LF          RFC 9112 section 4
 */
export class ResponseParser extends MessageParser {
  head: ResponseHead | undefined;
  /** The connection may serve another request after this answer. */
  keepAlive = false;
  /** From Keep-Alive: the server closes an idle connection after this time. Infinity = unknown. */
  keepAliveTimeoutMs: number = Infinity;
  #isAnswerToHead = false;
  #upgrade = '';

  constructor(pool: OctetPool, maxHeaderBytes: number) {
    super(pool, maxHeaderBytes, HeadKind.response);
  }

  /** The next answer is to a request of this method, which asked for this protocol, or none. */
  expect(method: string, upgrade: string): void {
    this.#isAnswerToHead = method === 'HEAD';
    this.#upgrade = upgrade;
  }

  override release(): void {
    super.release();
    this.head = undefined;
  }

  protected override readHead(bytes: Uint8Array, start: number, end: number): void {
    if (end - start < 14 || !isText(bytes, start, start + 7, 'http/1.') || bytes[start] !== 0x48)
      throw badMessage('an answer without a version');
    const minor = bytes[start + 7] - 0x30;
    if ((minor !== 0 && minor !== 1) || bytes[start + 8] !== space) throw badMessage('an answer of another version');
    const status = statusOf(bytes, start + 9);
    let at = start + 12;
    if (bytes[at] === space) while (isValueOctet[bytes[++at]] !== 0);
    if (bytes[at] !== carriageReturn || bytes[at + 1] !== lineFeed) throw badMessage('a status line that does not end');
    const fields = this.fieldParser;
    fields.parse(bytes, at + 2, end, FieldsOf.response);
    const isOld = minor === 0;
    if (fields.chunked && isOld) throw badMessage('Transfer-Encoding in HTTP/1.0');
    if (fields.chunked && fields.contentLength >= 0) throw badMessage('Transfer-Encoding and Content-Length');
    if (status === 101) {
      if (this.#upgrade === '' || fields.upgrade.toLowerCase() !== this.#upgrade.toLowerCase()) {
        throw badMessage('a change to a protocol that was not asked for');
      }
      this.keepAlive = false;
      this.tunnel();
      this.head = new ParsedResponse(101, fields.fields, -1, true, true);
      return;
    }
    if (status < 200) {
      this.countedBody(0);
      this.head = new ParsedResponse(status, fields.fields, 0, false, false);
      return;
    }
    this.keepAliveTimeoutMs = fields.keepAliveTimeoutMs;
    this.keepAlive = !fields.close && (!isOld || fields.keepAlive);
    const hasBody = !this.#isAnswerToHead && status !== 204 && status !== 304;
    if (!hasBody || fields.contentLength === 0) this.countedBody(0);
    else if (fields.chunked) this.chunkedBody();
    else if (fields.contentLength > 0) this.countedBody(fields.contentLength);
    else {
      this.keepAlive = false;
      this.bodyUntilClosed();
    }
    this.head = new ParsedResponse(status, fields.fields, status === 204 ? 0 : fields.contentLength, hasBody, false);
  }
}

function statusOf(bytes: Uint8Array, at: number): number {
  if (!isDigit(bytes[at]) || !isDigit(bytes[at + 1]) || !isDigit(bytes[at + 2])) throw badMessage('a status that is no number');
  const status = (bytes[at] - 0x30) * 100 + (bytes[at + 1] - 0x30) * 10 + (bytes[at + 2] - 0x30);
  if (status < 100 || status > 599) throw badMessage('a status that is none');
  return status;
}
