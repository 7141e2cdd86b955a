import { findField } from './field-block.ts';
import { RequestResult } from '../balancing/circuit-breaker.ts';
import type { FieldBlock } from './exchange.ts';
import { NetworkErrorCode } from './network-error.ts';

/** Whether an answer with this status says that the server failed: then balancing counts it against the server. */
export function failsByStatus(status: number): boolean {
  return status >= 500 && status !== 501 && status !== 505;
}

/** gRPC's DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE and DATA_LOSS. */
const failedGrpcStatuses: ReadonlySet<string> = new Set(['4', '13', '14', '15']);

/** The same for a gRPC status, which comes in the trailers or, when there is nothing else, with the head. */
export function failsByGrpcStatus(fields: FieldBlock): boolean {
  const status = findField(fields, 'grpc-status');
  return status !== undefined && failedGrpcStatuses.has(status);
}

/** What an error of the network says of the server that was tried. */
export function resultOf(code: NetworkErrorCode): RequestResult {
  switch (code) {
    case NetworkErrorCode.connectFailed:
      return RequestResult.unreachable;
    case NetworkErrorCode.noServer:
    case NetworkErrorCode.linkLost:
    case NetworkErrorCode.notAllowed:
    case NetworkErrorCode.overloaded:
      return RequestResult.withdrawn;
    default:
      return RequestResult.failure;
  }
}
