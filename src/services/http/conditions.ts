import { ExchangeFailure } from './exchange.ts';
import { NetworkErrorCode } from './network-error.ts';

/** Error conditions with which the router of a server settles a request that it could not have answered. */
const conditionPrefix = 'caravan:';

/** How an exchange with a server failed, as the router where the request came in is told. */
export function failureCondition(failure: ExchangeFailure): string {
  switch (failure) {
    case ExchangeFailure.unreachable:
      return conditionPrefix + NetworkErrorCode.connectFailed;
    case ExchangeFailure.notProcessed:
      return conditionPrefix + NetworkErrorCode.notProcessed;
    case ExchangeFailure.timeout:
      return conditionPrefix + NetworkErrorCode.timeout;
    case ExchangeFailure.protocolError:
      return conditionPrefix + NetworkErrorCode.badAnswer;
    default:
      return conditionPrefix + NetworkErrorCode.serverFailed;
  }
}

export const overloadedCondition: string = conditionPrefix + NetworkErrorCode.overloaded;

/** What a condition says; that the server failed when it is none of ours. */
export function conditionCode(condition: string): NetworkErrorCode {
  if (!condition.startsWith(conditionPrefix)) return NetworkErrorCode.serverFailed;
  const code = condition.slice(conditionPrefix.length);
  switch (code) {
    case NetworkErrorCode.connectFailed:
    case NetworkErrorCode.notProcessed:
    case NetworkErrorCode.overloaded:
    case NetworkErrorCode.timeout:
    case NetworkErrorCode.badAnswer:
      return code;
    default:
      return NetworkErrorCode.serverFailed;
  }
}
