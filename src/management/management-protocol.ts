import { nameLengthLimit } from './attribute-types.ts';

/**
 * The management protocol between a router or site and its tools, over a local stream.
 *
 * One JSON object per line, both ways. The status codes are those of skupper-router's management agent.
 *
 *   > {"id": 1, "operation": "CREATE", "type": "tcpListener", "name": "backend", "attributes": {"address": "backend", "port": 8080}}
 *   < {"id": 1, "statusCode": 201, "statusDescription": "Created", "body": {"name": "backend", "address": "backend", ...}}
 *   > {"id": 2, "operation": "QUERY", "type": "connection"}
 *   < {"id": 2, "statusCode": 200, "statusDescription": "OK", "body": {"results": [{...}, {...}], "total": 2}}
 *
 * Responses come in the order in which requests are done, not that in which they came; `id` joins them.
 */

/** Longest line of a client: the resources of a large site. */
export const lineLimitBytes: number = 1024 * 1024;
/**
 * Longest answer: the largest network that there can be, of 16,384 sites, takes some 24 MiB. It is made for one question of the user who runs the
 * site, and gone when it is written. Longer results are asked for in parts (offset, count).
 */
export const answerLimitBytes: number = 32 * 1024 * 1024;

/** Most requests of one client that may be unanswered; a tool needs one, a console a few. */
export const pendingRequestLimit = 64;

export const statusCodes = {
  ok: 200,
  created: 201,
  deleted: 204,
  badRequest: 400,
  forbidden: 403,
  notFound: 404,
  internalError: 500,
  notImplemented: 501,
} as const;

export type StatusCode = (typeof statusCodes)[keyof typeof statusCodes];

const descriptions: Readonly<Record<StatusCode, string>> = {
  200: 'OK',
  201: 'Created',
  204: 'No Content',
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  500: 'Internal Error',
  501: 'Not Implemented',
};

export type RequestId = number | string;

export interface ManagementRequest {
  readonly id: RequestId;
  /** QUERY, READ, CREATE, UPDATE, DELETE or an operation of the site's own; upper case. */
  readonly operation: string;
  /** The entity type; empty where the operation needs none. */
  readonly type: string;
  readonly name?: string;
  /** For CREATE and UPDATE the attributes, otherwise what the operation takes (QUERY: offset, count). */
  readonly attributes: ReadonlyMap<string, unknown>;
}

export interface ManagementResponse {
  readonly id: RequestId;
  readonly statusCode: number;
  readonly statusDescription: string;
  /** Plain data: what JSON can say. */
  readonly body: unknown;
}

/** The body of a successful QUERY. */
export interface QueryBody<Row> {
  readonly results: readonly Row[];
  /** How many there are in all, of which `results` may be a part. */
  readonly total: number;
}

export type ParsedRequest =
  | { readonly ok: true; readonly request: ManagementRequest }
  | { readonly ok: false; readonly response: ManagementResponse };

/** Reads a line from a client. A line that is no request gives the response to send instead; never throws. */
export function parseRequest(line: string): ParsedRequest {
  const value = parseObject(line);
  if (value === undefined) return refusal('', 'a request must be a JSON object on one line');
  const id = idOf(value);
  if (id === undefined) return refusal('', "'id' must be an integer or a text of at most 64 characters");
  const { operation, type = '', name, attributes = {} } = value;
  const unknown = Object.keys(value).find((key) => !requestKeys.includes(key));
  if (unknown !== undefined) return refusal(id, `the key '${unknown.slice(0, 64)}' is unknown; a request has ${requestKeys.join(', ')}`);
  if (typeof operation !== 'string' || !/^[A-Za-z][A-Za-z-]{0,31}$/.test(operation)) {
    return refusal(id, "'operation' must be a word such as QUERY or CREATE");
  }
  if (typeof type !== 'string' || type.length > 128) return refusal(id, "'type' must be the name of an entity type");
  if (name !== undefined && (typeof name !== 'string' || name.length === 0 || name.length > nameLengthLimit)) {
    return refusal(id, `'name' must be a text of 1 to ${nameLengthLimit} characters`);
  }
  if (!isRecord(attributes)) return refusal(id, "'attributes' must be a JSON object");
  const request = { id, operation: operation.toUpperCase(), type, attributes: new Map(Object.entries(attributes)) };
  return { ok: true, request: name === undefined ? request : { ...request, name } };
}

const requestKeys = ['id', 'operation', 'type', 'name', 'attributes'];

/** The line that asks for `request`, with its line end. */
export function formatRequest(request: ManagementRequest): string {
  return `${JSON.stringify({ ...request, attributes: Object.fromEntries(request.attributes) })}\n`;
}

/** The response to a request. Without a description the status code's own is used. */
export function respond(id: RequestId, statusCode: StatusCode, body: unknown = null, description?: string): ManagementResponse {
  return { id, statusCode, statusDescription: description ?? descriptions[statusCode], body };
}

/** The line that carries `response`, with its line end. One too long for a line becomes a 500 that says how to ask for less. */
export function formatResponse(response: ManagementResponse): string {
  const line = `${JSON.stringify(response)}\n`;
  // A UTF-16 unit is at most 3 bytes of UTF-8: lines surely short enough need no exact count.
  if (line.length * 3 <= answerLimitBytes || new TextEncoder().encode(line).length <= answerLimitBytes) return line;
  const advice = `the answer is longer than ${answerLimitBytes} bytes; ask for a part with the attributes offset and count`;
  return `${JSON.stringify(respond(response.id, statusCodes.internalError, null, advice))}\n`;
}

/** Reads a line from a server. Undefined when it is no response: the peer speaks something else. */
export function parseResponse(line: string): ManagementResponse | undefined {
  const value = parseObject(line);
  const id = value === undefined ? undefined : idOf(value);
  if (value === undefined || id === undefined) return undefined;
  const { statusCode, statusDescription = '', body = null } = value;
  if (typeof statusCode !== 'number' || !Number.isInteger(statusCode) || typeof statusDescription !== 'string') return undefined;
  return { id, statusCode, statusDescription, body };
}

/** The part of `rows` that a QUERY's attributes `offset` and `count` ask for; undefined when they are no such numbers. */
export function queryPart<Row>(rows: readonly Row[], attributes: ReadonlyMap<string, unknown>): QueryBody<Row> | undefined {
  const offset = attributes.get('offset') ?? 0;
  const count = attributes.get('count') ?? rows.length;
  if (typeof offset !== 'number' || typeof count !== 'number') return undefined;
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(count) || offset < 0 || count < 0) return undefined;
  return { results: rows.slice(offset, offset + count), total: rows.length };
}

function refusal(id: RequestId, description: string): ParsedRequest {
  return { ok: false, response: respond(id, statusCodes.badRequest, null, description) };
}

function idOf(value: Readonly<Record<string, unknown>>): RequestId | undefined {
  const { id } = value;
  if (typeof id === 'number' && Number.isSafeInteger(id)) return id;
  return typeof id === 'string' && id.length <= 64 ? id : undefined;
}

function parseObject(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
