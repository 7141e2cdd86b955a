import type { FlowDetail, TrafficSeries } from '../../flows/metering.ts';
import { Attribute } from '../../flows/record-types.ts';
import type { BalancedServer } from '../balancing/balanced-server.ts';
import { findNamedField } from './field-block.ts';
import type { FieldBlock, RequestHead } from './exchange.ts';
import { statusOf } from './network-error.ts';
import type { NetworkErrorCode } from './network-error.ts';
import type { ClientConnection, RequestMetering } from './request-metering.ts';
import { failsByStatus } from './request-result.ts';

const encoder = new TextEncoder();
const requestIdName = encoder.encode('x-request-id');
const traceparentName = encoder.encode('traceparent');
const userAgentName = encoder.encode('user-agent');
const grpcStatusName = encoder.encode('grpc-status');

/** Longest text of one attribute, in characters. */
const maxTextLength = 1024;
const maxFieldLength = 256;
/** In records, of a request whose client was gone before the answer. */
const statusOfGone = 499;

/** How a request ended. */
export interface RequestEnd {
  /** Of the server's answer; 0 = none has begun. */
  readonly status: number;
  /** The answer says that the server failed, or was cut off. */
  readonly failed: boolean;
  /** Why the network answered itself or cut the answer off, and in words; undefined when it did neither. */
  readonly code: NetworkErrorCode | undefined;
  readonly reason: string | undefined;
}

/** What is recorded of one request while somebody listens: its part in the sums, and a record of its own if it has one. */
export class RequestFlow {
  readonly #metering: RequestMetering;
  readonly #detail: FlowDetail | undefined;
  readonly #method: string;
  readonly #startedMs: number;
  #firstByteMs = -1;
  #series: TrafficSeries | undefined;
  /** Octets that the sums have. */
  #fromClient = 0;
  #toClient = 0;

  constructor(metering: RequestMetering, detail: FlowDetail | undefined, method: string, startedMs: number) {
    this.#metering = metering;
    this.#detail = detail;
    this.#method = method;
    this.#startedMs = startedMs;
  }

  /** Of the record; undefined when there is none. */
  get identity(): string | undefined {
    return this.#detail?.identity;
  }

  describe(head: RequestHead, requestId: string, client: ClientConnection | undefined): void {
    const { method, path, authority, fields } = head;
    const query = path.indexOf('?');
    this.#text(Attribute.method, method);
    this.#text(Attribute.path, query < 0 ? path : path.slice(0, query));
    this.#text(Attribute.authority, authority, maxFieldLength);
    this.#text(Attribute.requestId, findNamedField(fields, requestIdName) ?? requestId, maxFieldLength);
    this.#text(Attribute.traceparent, findNamedField(fields, traceparentName), maxFieldLength);
    this.#text(Attribute.userAgent, findNamedField(fields, userAgentName), maxFieldLength);
    this.#text(Attribute.sourceHost, head.client);
    if (client === undefined) return;
    this.#text(Attribute.protocol, client.protocol);
    this.#text(Attribute.sourcePort, String(client.port));
  }

  #text(attribute: number, value: string | undefined, longest: number = maxTextLength): void {
    if (value !== undefined && value !== '') this.#detail?.set(attribute, value.slice(0, longest));
  }

  #since(nowMs: number): number {
    return Math.max(0, Math.round((nowMs - this.#startedMs) * 1000));
  }

  /** A server is chosen, or the network chooses one, for the try with this number. */
  chosen(server: BalancedServer | undefined, address: string, tries: number, nowMs: number): void {
    this.#series?.retried();
    this.#series = this.#metering.seriesOf(server, address);
    this.#series.opened();
    const detail = this.#detail;
    if (detail === undefined) return;
    detail.set(Attribute.vanAddress, address);
    detail.set(Attribute.tries, tries);
    detail.set(Attribute.choiceMicroseconds, this.#since(nowMs));
  }

  /** The head of the answer has come. */
  answered(fields: FieldBlock, nowMs: number): void {
    this.#firstByteMs = nowMs - this.#startedMs;
    const detail = this.#detail;
    if (detail === undefined) return;
    const microseconds = this.#since(nowMs);
    detail.set(Attribute.latency, microseconds);
    detail.set(Attribute.firstByteMicroseconds, microseconds);
    // gRPC is POST; what it has to say without a body stands in the head.
    if (this.#method === 'POST') this.grpc(fields);
  }

  /** What gRPC says of the call, with the head or in the trailers. */
  grpc(fields: FieldBlock): void {
    if (this.#detail === undefined) return;
    const status = findNamedField(fields, grpcStatusName);
    if (status !== undefined && /^\d{1,3}$/.test(status)) this.#detail.set(Attribute.grpcStatus, Number(status));
  }

  /** Tells the octets so far, while it goes on. */
  report(fromClient: number, toClient: number): void {
    if (this.#series === undefined) return;
    this.#series.octets(fromClient - this.#fromClient, toClient - this.#toClient);
    this.#fromClient = fromClient;
    this.#toClient = toClient;
  }

  ended(end: RequestEnd, fromClient: number, toClient: number, address: string): void {
    const metering = this.#metering;
    const { status: answered, failed, code, reason } = end;
    if (!metering.meter.active) return;
    const status = answered > 0 ? answered : code === undefined ? statusOfGone : statusOf(code).status;
    const { outcome } = metering;
    outcome.success = !(answered > 0 ? failed || code !== undefined : failsByStatus(status));
    outcome.status = status;
    outcome.method = this.#method;
    outcome.firstByteMicroseconds = this.#firstByteMs < 0 ? -1 : Math.round(this.#firstByteMs * 1000);
    outcome.fromClient = fromClient - this.#fromClient;
    outcome.toClient = toClient - this.#toClient;
    if (this.#series === undefined) {
      this.#series = metering.seriesOf(undefined, address);
      this.#series.opened();
    }
    this.#series.ended(outcome);
    if (this.#detail !== undefined) this.#tellEnd(this.#detail, status, code, reason, fromClient, toClient);
  }

  #tellEnd(
    detail: FlowDetail,
    status: number,
    code: NetworkErrorCode | undefined,
    reason: string | undefined,
    fromClient: number,
    toClient: number,
  ): void {
    detail.set(Attribute.result, String(status));
    if (code !== undefined) detail.set(Attribute.networkError, code);
    this.#text(Attribute.reason, reason, maxFieldLength);
    detail.set(Attribute.octets, fromClient);
    detail.set(Attribute.octetsReverse, toClient);
    detail.end(this.#metering.wallMicroseconds(this.#metering.nowMs()));
  }
}
