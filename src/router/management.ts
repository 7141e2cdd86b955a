import type { Clock } from '../base/clock.ts';
import { InputError, WeatherError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { ChangeRefused, createdEntity, updatedEntity } from '../management/configuration-change.ts';
import { entitiesOf, type EntityType } from '../management/entities.ts';
import { isServiceConnector, isServiceListener } from '../management/service-entities.ts';
import { entityTypeOf } from '../management/entity-schema.ts';
import {
  formatResponse,
  parseRequest,
  queryPart,
  respond,
  statusCodes,
  type ManagementRequest,
  type ManagementResponse,
} from '../management/management-protocol.ts';
import { SchemaProblem } from '../management/schema.ts';
import {
  addressRows,
  configuredRows,
  connectionRows,
  connectorRows,
  listenerRows,
  nodeRows,
  routerRow,
  serviceOfferRows,
  servicePortRows,
} from './management-rows.ts';
import type { Router } from './router.ts';

export interface RouterManagementOptions {
  readonly clock: Clock;
  /** Version of this program. */
  readonly version: string;
  /** What this router tells others about its site. */
  readonly site?: () => Readonly<Record<string, unknown>>;
}

/** Entity types that are seen but not configured. */
const operationalTypes = ['router', 'router.node', 'router.address', 'connection', 'tcpConnection'] as const;
type OperationalType = (typeof operationalTypes)[number];

/** Answers management requests about one router: QUERY and READ of its entities, CREATE, UPDATE and DELETE of configured ones. */
export class RouterManagement {
  readonly #router: Router;
  readonly #options: RouterManagementOptions;
  /** Changes are made one after the other: each is checked against the configuration that the one before left. */
  #lastChange: Promise<unknown> = Promise.resolve();

  constructor(router: Router, options: RouterManagementOptions) {
    this.#router = router;
    this.#options = options;
  }

  /** Answers `request`. Never rejects for what a request or the weather can be blamed for. */
  async handle(request: ManagementRequest): Promise<ManagementResponse> {
    try {
      switch (request.operation) {
        case 'QUERY':
          return this.#query(request);
        case 'READ':
          return this.#read(request);
        case 'CREATE':
          return await this.#serially(() => this.#create(request));
        case 'UPDATE':
          return await this.#serially(() => this.#update(request));
        case 'DELETE':
          return await this.#serially(() => this.#delete(request));
        default:
          return respond(
            request.id,
            statusCodes.notImplemented,
            null,
            `operation '${request.operation}' is unknown; there are QUERY, READ, CREATE, UPDATE and DELETE`,
          );
      }
    } catch (error) {
      return failure(request, error);
    }
  }

  #query(request: ManagementRequest): ManagementResponse {
    const part = queryPart(this.rows(request.type), request.attributes);
    if (part === undefined) throw new ChangeRefused(400, "the attributes 'offset' and 'count' of QUERY must be whole numbers of 0 or more");
    return respond(request.id, statusCodes.ok, part);
  }

  #read(request: ManagementRequest): ManagementResponse {
    const rows = this.rows(request.type);
    const row = request.type === 'router' ? rows[0] : rows.find((candidate) => keysOf(candidate).includes(request.name ?? ''));
    if (row === undefined) throw new ChangeRefused(404, `${request.type} '${request.name ?? ''}' does not exist`);
    return respond(request.id, statusCodes.ok, row);
  }

  async #create(request: ManagementRequest): Promise<ManagementResponse> {
    const entity = createdEntity(configuredType(request.type), request.name, request.attributes);
    await this.#router.apply({ operation: 'CREATE', entity });
    return respond(request.id, statusCodes.created, this.#row(entity.type, entity.name));
  }

  async #update(request: ManagementRequest): Promise<ManagementResponse> {
    const type = configuredType(request.type);
    const name = nameOf(request);
    const current = entitiesOf(this.#router.configuration).find((entity) => entity.type === type && entity.name === name);
    if (current === undefined) throw new ChangeRefused(404, `${type} '${name}' does not exist`);
    await this.#router.apply({ operation: 'UPDATE', entity: updatedEntity(current, request.attributes) });
    return respond(request.id, statusCodes.ok, this.#row(type, name));
  }

  async #delete(request: ManagementRequest): Promise<ManagementResponse> {
    await this.#router.apply({ operation: 'DELETE', type: configuredType(request.type), name: nameOf(request) });
    return respond(request.id, statusCodes.deleted);
  }

  #row(type: EntityType, name: string): object | undefined {
    return this.rows(type).find((row) => keysOf(row).includes(name));
  }

  /** The rows of an entity type. Throws SchemaProblem for a type that does not exist. */
  rows(typeName: string): readonly object[] {
    const router = this.#router;
    const operational = operationalType(typeName);
    if (operational !== undefined) return this.#operationalRows(operational);
    const type = entityTypeOf(typeName);
    switch (type) {
      case 'listener':
        return listenerRows(router);
      case 'connector':
        return connectorRows(router);
      default:
        return this.#rowsOf(type);
    }
  }

  #rowsOf(type: EntityType): readonly object[] {
    const entities = entitiesOf(this.#router.configuration).filter((entity) => entity.type === type);
    const [ports, offers] = [entities.filter(isServiceListener), entities.filter(isServiceConnector)];
    if (ports.length > 0) return servicePortRows(this.#router, ports);
    return offers.length > 0 ? serviceOfferRows(this.#router, offers) : configuredRows(entities);
  }

  #operationalRows(type: OperationalType): readonly object[] {
    const router = this.#router;
    switch (type) {
      case 'router':
        return [routerRow(router, this.#options.version)];
      case 'router.node':
        return nodeRows(router, this.#options.site?.() ?? {});
      case 'router.address':
        return addressRows(router);
      case 'tcpConnection':
        return router.services.connections;
      default:
        return connectionRows(router);
    }
  }

  #serially<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#lastChange.then(change, change);
    this.#lastChange = result.catch(() => undefined);
    return result;
  }
}

/** Turns lines of the management protocol into answers of `handle`. What goes wrong in there is logged, and answered with 500. */
export function answerLines<Client>(
  handle: (request: ManagementRequest, client: Client) => Promise<ManagementResponse>,
  log: Logger,
): (line: string, client: Client) => Promise<string> {
  return async (line, client) => {
    const parsed = parseRequest(line);
    if (!parsed.ok) return formatResponse(parsed.response);
    const { request } = parsed;
    try {
      return formatResponse(await handle(request, client));
    } catch (error) {
      log.error('management request failed', { operation: request.operation, reason: error });
      return formatResponse(respond(request.id, statusCodes.internalError, null, 'the request failed inside; the log says why'));
    }
  };
}

/** The body of a response that tells of an error, so that the other side can tell it to its user. */
export interface FailureBody {
  readonly code: string;
  readonly remedy?: string;
  /** Present when the user's input is at fault: where in it. */
  readonly where?: string;
}

/** The response to a request that failed. Rethrows what is our bug. */
export function failure(request: ManagementRequest, error: unknown): ManagementResponse {
  if (error instanceof ChangeRefused) return respond(request.id, error.statusCode, { code: 'refused' }, error.message);
  if (error instanceof SchemaProblem) {
    const path = error.kind === 'invalid' && error.path.length > 0 ? `${error.path.join('.')} ` : '';
    return respond(request.id, statusCodes.badRequest, { code: `request-${error.kind}` }, `${path}${error.message}`);
  }
  if (!(error instanceof WeatherError)) throw error;
  const body: FailureBody = {
    code: error.code,
    ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
    ...(error instanceof InputError ? { where: error.where } : {}),
  };
  return respond(request.id, statusCodes.badRequest, body, error.message);
}

function operationalType(name: string): OperationalType | undefined {
  const short = name.replace(/^io\.skupper\.router\./, '');
  return operationalTypes.find((type) => type === short);
}

function configuredType(name: string): EntityType {
  const operational = operationalType(name);
  if (operational !== undefined && operational !== 'router') throw new ChangeRefused(403, `${operational} is seen, not configured`);
  return entityTypeOf(name);
}

function nameOf(request: ManagementRequest): string {
  if (request.name !== undefined) return request.name;
  throw new ChangeRefused(400, `${request.operation} needs the name of the entity`);
}

/** What READ finds a row by. */
function keysOf(row: object): readonly unknown[] {
  const { name, identity, id, key } = row as Readonly<Record<string, unknown>>;
  return [name, identity, id, key].filter((value) => value !== undefined);
}
