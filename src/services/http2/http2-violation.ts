import { ProtocolViolation } from '../../base/errors.ts';

/** Why a stream or a connection ends (RFC 9113 §7). */
export const ErrorCode = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  flowControlError: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSizeError: 6,
  refusedStream: 7,
  cancel: 8,
  compressionError: 9,
  connectError: 10,
  enhanceYourCalm: 11,
} as const;
export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode];

/** The other end broke HTTP/2 so that the connection cannot go on (RFC 9113 §5.4.1). `code` goes into GOAWAY. */
export class Http2Violation extends ProtocolViolation {
  override readonly name: string = 'Http2Violation';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, description: string) {
    super('http2:connection-error', description);
    this.code = code;
  }
}
