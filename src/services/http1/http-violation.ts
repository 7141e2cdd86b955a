import { ProtocolViolation } from '../../base/errors.ts';

/** The other end broke HTTP/1. `status` answers it when it is a client. */
export class HttpViolation extends ProtocolViolation {
  override readonly name: string = 'HttpViolation';
  readonly status: number;

  constructor(status: number, description: string) {
    super('http:protocol-error', description);
    this.status = status;
  }
}

/** For what could be read in more than one way, and for what is wrong altogether. */
export function badMessage(description: string): HttpViolation {
  return new HttpViolation(400, description);
}
