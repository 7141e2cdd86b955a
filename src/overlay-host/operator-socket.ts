import { WeatherError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { exchangeLine } from '../host/line-client.ts';
import { openLineServer } from '../host/line-server.ts';
import { LineSplitter } from '../management/line-splitter.ts';
import type { AttachmentKey } from '../overlay/cni/cni-environment.ts';
import { parseStoredEndpoint } from '../overlay/control/stored-endpoint.ts';
import type { MoveTicket } from '../overlay/control/local-endpoints.ts';
import type { TracePacket } from '../overlay/trace/trace-packet.ts';
import type { TraceReport } from '../overlay/trace/trace-report.ts';
import { parseTraceRequest, type TraceRequest } from '../overlay/trace/trace-request.ts';

/*
 * One line of JSON each way:
 *
 *   {"ask":"status"}                                               {"answer":{...}}
 *   {"ask":"moveOut","containerId":"...","ifname":"eth0"}          {"answer":{"hostId":1,"endpoint":{...}}}
 *   {"ask":"moveIn","ticket":{"hostId":1,"endpoint":{...}}}        {"answer":{}}
 *   {"ask":"trace","vni":7,"source":"10.0.0.2",...}               {"answer":{"steps":[...],...}}
 *                                                                  {"error":{"code":"...","message":"..."}}
 */

/** Of both ways: a status of the largest host has some hundred KiB. */
const lineLimitBytes = 4 * 1024 * 1024;
const pendingLimit = 16;
/** A move waits for two owners. */
const answerTimeoutMs = 15_000;

/** What an operator may ask of the daemon. Failures are WeatherErrors. */
export interface Operations {
  status(): object;
  /** Lets a pod's endpoint go to another host, and gives what that needs. It is served here until it has come there. */
  moveOut(key: AttachmentKey): Promise<MoveTicket>;
  /** The pod that is added next with these addresses is the one of the ticket. */
  moveIn(ticket: MoveTicket): void;
  /** Walks a packet through the programs of the hosts. */
  trace(vni: number, packet: TracePacket): Promise<TraceReport>;
}

export type OperatorRequest =
  | { readonly ask: 'status' }
  | ({ readonly ask: 'moveOut' } & AttachmentKey)
  | { readonly ask: 'moveIn'; readonly ticket: unknown }
  | ({ readonly ask: 'trace' } & TraceRequest);

/** Serves operators of this host on a unix socket of mode 0600. Throws WeatherError. */
export function openOperatorSocket(path: string, operations: Operations, log: Logger): Promise<AsyncDisposable> {
  return openLineServer({
    path,
    newReader: () => new LineSplitter(lineLimitBytes),
    pendingLimit,
    log,
    answer: async (line) => {
      try {
        return `${JSON.stringify({ answer: await answer(line, operations) })}\n`;
      } catch (error) {
        const { code, message } =
          error instanceof WeatherError ? error : { code: 'internal', message: 'the daemon failed; its log says more' };
        if (!(error instanceof WeatherError)) log.error('an operation failed by a bug', { cause: error });
        return `${JSON.stringify({ error: { code, message } })}\n`;
      }
    },
  });
}

/** Asks the daemon that listens at `path`. Throws WeatherError: what it answers, or that it does not. */
export async function askDaemon(path: string, request: OperatorRequest): Promise<object> {
  const reader = new LineSplitter(lineLimitBytes);
  const line = await exchangeLine({ path, line: `${JSON.stringify(request)}\n`, reader, timeoutMs: answerTimeoutMs });
  const { answer: answered, error } = JSON.parse(line) as { answer?: object; error?: { code: string; message: string } };
  if (error !== undefined) throw new WeatherError(error.code, error.message);
  return answered ?? {};
}

async function answer(line: string, operations: Operations): Promise<object> {
  let request: Partial<OperatorRequest> & Partial<AttachmentKey> & { readonly ticket?: unknown };
  try {
    request = (JSON.parse(line) ?? {}) as typeof request;
  } catch (cause) {
    throw new WeatherError('bad-request', 'the request is not JSON', { cause });
  }
  switch (request.ask) {
    case 'status':
      return operations.status();
    case 'moveOut': {
      const { containerId, ifname } = request;
      if (typeof containerId !== 'string' || typeof ifname !== 'string')
        throw new WeatherError('bad-request', 'moveOut needs containerId and ifname');
      return operations.moveOut({ containerId, ifname });
    }
    case 'moveIn': {
      const ticket = parseTicket(request.ticket);
      if (ticket === undefined) throw new WeatherError('bad-ticket', 'this is not the ticket of a move');
      operations.moveIn(ticket);
      return {};
    }
    case 'trace': {
      const trace = parseTraceRequest(request);
      if (trace === undefined) throw new WeatherError('bad-request', 'trace needs a VNI, two addresses, a protocol and ports');
      return operations.trace(trace.vni, trace.packet);
    }
    default:
      throw new WeatherError('bad-request', 'the request is not known');
  }
}

function parseTicket(value: unknown): MoveTicket | undefined {
  const { hostId, endpoint: given } = (value ?? {}) as { readonly hostId?: unknown; readonly endpoint?: unknown };
  if (typeof hostId !== 'number' || !Number.isSafeInteger(hostId) || typeof given !== 'object' || given === null) return undefined;
  const { ifindex, ...stored } = given as { readonly ifindex?: unknown };
  const endpoint = typeof ifindex === 'number' ? parseStoredEndpoint(stored, ifindex) : undefined;
  return endpoint === undefined ? undefined : { hostId, endpoint };
}
