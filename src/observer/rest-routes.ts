import type { ObjectSchema } from './json-schema.ts';
import type { ObserverState } from './observer-state.ts';
import { historyAnswer, networkAnswer, NotFound, requestAnswer, requestsAnswer, siteAnswer, statAnswer } from './rest-answers.ts';
import { querySkupper, type SkupperRecord } from './skupper-query.ts';
import { SkupperRecords } from './skupper-records.ts';
import { skupperSchemas } from './skupper-schemas.ts';

export interface RouteParameter {
  readonly name: string;
  readonly description: string;
  readonly type?: 'integer';
}

/** One path of the REST interface: what it answers, and what the OpenAPI document says of it. */
export interface Route {
  /** `{id}` stands for one part of the path. */
  readonly path: string;
  readonly summary: string;
  readonly parameters: readonly RouteParameter[];
  /** Name of the schema of the answer. */
  readonly answers: { readonly schema: string; readonly envelope?: 'collection' | 'item' };
  run(state: ObserverState, query: URLSearchParams, id: string): unknown;
}

/** Paths that are gone in Skupper's API, too. */
export const gonePaths: readonly string[] = ['/api/v2alpha1/hosts', '/api/v2alpha1/hosts/{id}', '/api/v2alpha1/sites/{id}/hosts'];

const windowParameter: RouteParameter = { name: 'window', description: 'over what time golden metrics are, such as 60s (default) or 5m' };
const siteParameters: readonly RouteParameter[] = [
  { name: 'from', description: 'name or router id of the site of the clients' },
  { name: 'to', description: 'name or router id of the site of the servers' },
];

const ownRoutes: readonly Route[] = [
  {
    path: '/api/v1/network',
    summary: 'Sites, links, services, who talks to whom, and warnings',
    parameters: [windowParameter],
    answers: { schema: 'NetworkSnapshot' },
    run: networkAnswer,
  },
  {
    path: '/api/v1/stat',
    summary: 'Success, rate and latency per service, site or server',
    parameters: [
      { name: 'kind', description: 'service (default), site or server' },
      { name: 'name', description: 'of this service, site or server only' },
      ...siteParameters,
      { ...windowParameter, description: `${windowParameter.description}; longer than 15m from history` },
    ],
    answers: { schema: 'StatReport' },
    run: statAnswer,
  },
  {
    path: '/api/v1/requests',
    summary: 'Single requests and connections, newest first',
    parameters: [
      { name: 'service', description: 'routing key' },
      { name: 'method', description: 'method of HTTP' },
      { name: 'path', description: 'how the path begins' },
      { name: 'status', description: 'a status such as 404, or a class such as 5xx' },
      { name: 'site', description: 'name of the site at either end' },
      ...siteParameters,
      { name: 'kind', description: 'request or connection' },
      { name: 'limit', description: '1 to 1000, default 100', type: 'integer' },
      { name: 'before', description: '`older` of the answer before; or started before this time, in milliseconds since the epoch' },
      {
        name: 'after',
        description: '`next` of the answer before: what has begun or ended since, in that order; `missed` counts what was too much',
        type: 'integer',
      },
    ],
    answers: { schema: 'Requests' },
    run: requestsAnswer,
  },
  {
    path: '/api/v1/requests/{id}',
    summary: 'The waterfall of one request',
    parameters: [],
    answers: { schema: 'RequestTrace' },
    run: (state, _query, id) => requestAnswer(state, id),
  },
  {
    path: '/api/v1/history',
    summary: 'Traffic over time, from history',
    parameters: [
      { name: 'service', description: 'routing key' },
      { name: 'site', description: 'name or router id of the site at either end' },
      { name: 'from', description: 'milliseconds since the epoch; default an hour before to', type: 'integer' },
      { name: 'to', description: 'milliseconds since the epoch; default now', type: 'integer' },
      { name: 'step', description: 'seconds of each point, 10 or more; default 60', type: 'integer' },
    ],
    answers: { schema: 'History' },
    run: historyAnswer,
  },
  {
    path: '/api/v1/site',
    summary: "The observer's own site with its resources, and the observer itself",
    parameters: [{ name: 'check', description: 'true: the site is checked as by van check' }],
    answers: { schema: 'Site' },
    run: siteAnswer,
  },
];

interface SkupperCollectionRoute {
  readonly name: string;
  readonly schema: string;
  readonly hasItems: boolean;
  readonly records: (records: SkupperRecords) => readonly SkupperRecord[];
}

const skupperCollections: readonly SkupperCollectionRoute[] = [
  { name: 'sites', schema: 'SiteRecord', hasItems: true, records: (records) => records.sites() },
  { name: 'processes', schema: 'ProcessRecord', hasItems: true, records: (records) => records.processes() },
  { name: 'routers', schema: 'RouterRecord', hasItems: true, records: (records) => records.routers() },
  { name: 'listeners', schema: 'ListenerRecord', hasItems: true, records: (records) => records.listeners() },
  { name: 'connectors', schema: 'ConnectorRecord', hasItems: true, records: (records) => records.connectors() },
  { name: 'services', schema: 'ServiceRecord', hasItems: true, records: (records) => records.services() },
  { name: 'components', schema: 'ComponentRecord', hasItems: true, records: (records) => records.components() },
  { name: 'sitepairs', schema: 'FlowAggregateRecord', hasItems: true, records: (records) => records.pairs('SITE') },
  { name: 'componentpairs', schema: 'FlowAggregateRecord', hasItems: true, records: (records) => records.pairs('PROCESS_GROUP') },
  { name: 'processpairs', schema: 'FlowAggregateRecord', hasItems: true, records: (records) => records.pairs('PROCESS') },
  { name: 'routerlinks', schema: 'RouterLinkRecord', hasItems: true, records: (records) => records.links() },
  { name: 'routeraccess', schema: 'RouterAccessRecord', hasItems: true, records: (records) => records.accesses() },
  { name: 'connections', schema: 'ConnectionRecord', hasItems: false, records: (records) => records.connections() },
  { name: 'applicationflows', schema: 'ApplicationFlowRecord', hasItems: false, records: (records) => records.requests() },
];

/** What belongs to one site or service. */
const skupperParts: readonly {
  readonly of: 'sites' | 'services';
  readonly name: string;
  readonly schema: string;
  readonly records: (records: SkupperRecords, owner: SkupperRecord) => readonly SkupperRecord[];
}[] = [
  {
    of: 'sites',
    name: 'processes',
    schema: 'ProcessRecord',
    records: (records, { identity }) => records.processes().filter(({ siteId }) => siteId === identity),
  },
  {
    of: 'sites',
    name: 'routers',
    schema: 'RouterRecord',
    records: (records, { identity }) => records.routers().filter(({ siteId }) => siteId === identity),
  },
  {
    of: 'services',
    name: 'processes',
    schema: 'ProcessRecord',
    records: (records, { identity }) => processesOf(records, identity),
  },
  {
    of: 'services',
    name: 'processpairs',
    schema: 'FlowAggregateRecord',
    records: (records, { identity }) => {
      const servers = new Set(processesOf(records, identity).map((process) => process.identity));
      return records.pairs('PROCESS').filter(({ destinationId }) => servers.has(String(destinationId)));
    },
  },
  {
    of: 'services',
    name: 'connections',
    schema: 'ConnectionRecord',
    records: (records, service) =>
      records.connections().filter(({ routingKey, protocol }) => routingKey === service['name'] && protocol === service['protocol']),
  },
];

function processesOf(records: SkupperRecords, serviceId: string): SkupperRecord[] {
  const servers = new Set(
    records
      .connectors()
      .filter((connector) => connector['serviceId'] === serviceId)
      .map(({ processId }) => processId),
  );
  return records.processes().filter(({ identity }) => servers.has(identity));
}

const skupperParameters: readonly RouteParameter[] = [
  { name: 'offset', description: 'leaves out so many', type: 'integer' },
  { name: 'limit', description: 'at most so many', type: 'integer' },
  { name: 'sortBy', description: 'FIELD.asc or FIELD.desc; identity.asc when absent' },
  { name: 'timeRangeStart', description: 'microseconds since the epoch; default a quarter of an hour ago', type: 'integer' },
  { name: 'timeRangeEnd', description: 'microseconds since the epoch; default now', type: 'integer' },
  { name: 'timeRangeOperation', description: 'intersects (default), contains or within' },
  { name: 'state', description: 'all (default), active or terminated' },
];

function skupperRoutes(): Route[] {
  const routes: Route[] = [];
  const open = ({ model, startedMs }: ObserverState): SkupperRecords => new SkupperRecords(model, startedMs);
  const schemaOf = (name: string): ObjectSchema => skupperSchemas[name] ?? { type: 'object' };
  for (const { name, schema, hasItems, records } of skupperCollections) {
    const path = `/api/v2alpha1/${name}`;
    routes.push({
      path,
      summary: `Records of ${name}; any field filters by its name`,
      parameters: skupperParameters,
      answers: { schema, envelope: 'collection' },
      run: (state, query) => querySkupper(records(open(state)), query, schemaOf(schema), state.clock.wallMs()),
    });
    if (!hasItems) continue;
    routes.push({
      path: `${path}/{id}`,
      summary: `One of ${name}`,
      parameters: [],
      answers: { schema, envelope: 'item' },
      run: (state, _query, id) => ({ results: itemOf(records(open(state)), name, id) }),
    });
  }
  for (const { of, name, schema, records } of skupperParts) {
    const owners = skupperCollections.find((collection) => collection.name === of);
    routes.push({
      path: `/api/v2alpha1/${of}/{id}/${name}`,
      summary: `Records of ${name} of one of ${of}`,
      parameters: skupperParameters,
      answers: { schema, envelope: 'collection' },
      run: (state, query, id) => {
        const opened = open(state);
        const owner = itemOf(owners?.records(opened) ?? [], of, id);
        return querySkupper(records(opened, owner), query, schemaOf(schema), state.clock.wallMs());
      },
    });
  }
  return routes;
}

function itemOf(records: readonly SkupperRecord[], name: string, id: string): SkupperRecord {
  const found = records.find(({ identity }) => identity === id);
  if (found === undefined) throw new NotFound(`${name} has no '${id.slice(0, 100)}'`);
  return found;
}

export const routes: readonly Route[] = [...ownRoutes, ...skupperRoutes()];
