import { InputError, WeatherError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { exchangeLine } from '../../host/line-client.ts';
import { openLineServer } from '../../host/line-server.ts';
import { LineSplitter } from '../../management/line-splitter.ts';
import type { ResourceName } from '../../overlay/catalog/resource-book.ts';
import type { AttachmentKey } from '../../overlay/cni/cni-environment.ts';
import { parseStoredEndpoint } from '../../overlay/control/stored-endpoint.ts';
import type { MoveTicket } from '../../overlay/control/local-endpoints.ts';
import { overlayKinds } from '../../overlay/resources/resources.ts';
import type { TracePacket } from '../../overlay/trace/trace-packet.ts';
import type { TraceReport } from '../../overlay/trace/trace-report.ts';
import { parseTraceRequest, type TraceRequest } from '../../overlay/trace/trace-request.ts';

/*
 * One line of JSON each way:
 *
 *   {"ask":"status"}                                               {"answer":{...}}
 *   {"ask":"moveOut","containerId":"...","ifname":"eth0"}          {"answer":{"hostId":1,"endpoint":{...}}}
 *   {"ask":"moveIn","ticket":{"hostId":1,"endpoint":{...}}}        {"answer":{}}
 *   {"ask":"trace","vni":7,"source":"10.0.0.2",...}               {"answer":{"steps":[...],...}}
 *   {"ask":"reload"}                                               {"answer":{"epoch":2,"hosts":3}}
 *   {"ask":"resources"}                                            {"answer":{"resources":[{...},...]}}
 *   {"ask":"apply","resources":[{...},...],"isNew":false}          {"answer":{"outcomes":[{"kind":"VPC","name":"red","outcome":"created"},...]}}
 *   {"ask":"delete","names":[{"kind":"VPC","name":"red"},...]}     {"answer":{"outcomes":[...]}}
 *                                                                  {"error":{"code":"...","message":"...","remedy":"...","where":"..."}}
 *
 * `where` says that the asker's own words are wrong, and which.
 */

/** Of both ways: a status of the largest host has some hundred KiB, and thousands of resources have some MiB. */
const lineLimitBytes = 16 * 1024 * 1024;
const pendingLimit = 16;
/** A move waits for two owners, and the deletion of a subnet for its endpoints. */
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
  /** Reads the configuration again. */
  reload(): Promise<object>;
  /** All resources, with what has become of them. */
  resources(): object;
  /** Writes resources, all or none. `isNew`: none of them may be there. */
  apply(resources: readonly unknown[], isNew: boolean): Promise<object>;
  delete(names: readonly ResourceName[]): Promise<object>;
}

export type OperatorRequest =
  | { readonly ask: 'status' }
  | ({ readonly ask: 'moveOut' } & AttachmentKey)
  | { readonly ask: 'moveIn'; readonly ticket: unknown }
  | ({ readonly ask: 'trace' } & TraceRequest)
  | { readonly ask: 'reload' }
  | { readonly ask: 'resources' }
  | { readonly ask: 'apply'; readonly resources: readonly unknown[]; readonly isNew: boolean }
  | { readonly ask: 'delete'; readonly names: readonly ResourceName[] };

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
        if (!(error instanceof WeatherError)) log.error('an operation failed by a bug', { cause: error });
        return `${JSON.stringify({ error: toldError(error) })}\n`;
      }
    },
  });
}

/** Asks the daemon that listens at `path`. Throws WeatherError: what it answers, or that it does not. */
export async function askDaemon(path: string, request: OperatorRequest): Promise<object> {
  const reader = new LineSplitter(lineLimitBytes);
  const line = await exchangeLine({ path, line: `${JSON.stringify(request)}\n`, reader, timeoutMs: answerTimeoutMs });
  const { answer: answered, error } = JSON.parse(line) as { answer?: object; error?: ToldError };
  if (error === undefined) return answered ?? {};
  const { code, message, remedy, where } = error;
  const more = remedy === undefined ? {} : { remedy };
  if (where !== undefined && message.startsWith(`${where}: `)) throw new InputError(code, where, message.slice(where.length + 2), more);
  throw new WeatherError(code, message, more);
}

interface ToldError {
  readonly code: string;
  readonly message: string;
  readonly remedy?: string | undefined;
  readonly where?: string | undefined;
}

function toldError(error: unknown): ToldError {
  if (!(error instanceof WeatherError)) return { code: 'internal', message: 'the daemon failed; its log says more' };
  const { code, message, remedy } = error;
  return { code, message, remedy, where: error instanceof InputError ? error.where : undefined };
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
    case 'reload':
      return operations.reload();
    case 'resources':
      return operations.resources();
    case 'apply': {
      const { resources, isNew } = request as { readonly resources?: unknown; readonly isNew?: unknown };
      if (!Array.isArray(resources)) throw new WeatherError('bad-request', 'apply needs a list of resources');
      return operations.apply(resources, isNew === true);
    }
    case 'delete': {
      const { names } = request as { readonly names?: unknown };
      if (!Array.isArray(names)) throw new WeatherError('bad-request', 'delete needs a list of names');
      return operations.delete(names.map(parseName));
    }
    default:
      throw new WeatherError('bad-request', 'the request is not known');
  }
}

function parseName(value: unknown): ResourceName {
  const { kind: given, name } = (value ?? {}) as { readonly kind?: unknown; readonly name?: unknown };
  const kind = overlayKinds.find((known) => known === given);
  if (kind === undefined || typeof name !== 'string') throw new WeatherError('bad-request', 'a name has a kind and a name');
  return { kind, name };
}

function parseTicket(value: unknown): MoveTicket | undefined {
  const { hostId, endpoint: given } = (value ?? {}) as { readonly hostId?: unknown; readonly endpoint?: unknown };
  if (typeof hostId !== 'number' || !Number.isSafeInteger(hostId) || typeof given !== 'object' || given === null) return undefined;
  const { ifindex, ...stored } = given as { readonly ifindex?: unknown };
  const endpoint = typeof ifindex === 'number' ? parseStoredEndpoint(stored, ifindex) : undefined;
  return endpoint === undefined ? undefined : { hostId, endpoint };
}
