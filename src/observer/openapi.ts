import { reference, text, type JsonSchema } from './json-schema.ts';
import { gonePaths, routes, type Route } from './rest-routes.ts';
import { schemas } from './rest-schemas.ts';
import { collectionSchema, itemSchema } from './skupper-schemas.ts';

/** The OpenAPI document of the REST interface, made from the table of routes. `src/observer/openapi.json` is its copy. */
export function openApiDocument(version: string): unknown {
  const paths: Record<string, unknown> = {};
  for (const route of routes) {
    paths[route.path] = { get: { summary: route.summary, parameters: parametersOf(route), responses: responsesOf(route) } };
  }
  for (const path of gonePaths) {
    const responses = { '410': answer('not supported any more', reference('Error')) };
    paths[path] = { get: { summary: 'Gone', deprecated: true, parameters: idParameter(path), responses } };
  }
  const plain = (description: string, type: string): unknown => ({ '200': { description, content: { [type]: { schema: text } } } });
  paths['/api/v1/events'] = {
    get: {
      summary: 'Server-sent events: network (NetworkSnapshot), request (RequestRow), lost',
      parameters: [
        {
          name: 'window',
          in: 'query',
          description: 'over what time golden metrics are: 10s, 60s (default) or 600s',
          schema: { type: 'string' },
        },
      ],
      responses: plain('a stream that does not end', 'text/event-stream'),
    },
  };
  paths['/metrics'] = { get: { summary: 'Metrics for Prometheus', responses: plain('text format 0.0.4', 'text/plain') } };
  return {
    openapi: '3.0.3',
    info: {
      title: 'Caravan network observer',
      description:
        'What an observer knows of a network. Everything is read with GET. /api/v2alpha1 has the shape of Skupper’s network observer.',
      license: { name: 'Apache 2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0.html' },
      version,
    },
    paths,
    components: { schemas },
  };
}

/** The schema of what a route answers. */
export function answerSchema({ answers: { schema, envelope } }: Route): JsonSchema {
  if (envelope === 'collection') return collectionSchema(schema);
  return envelope === 'item' ? itemSchema(schema) : reference(schema);
}

function parametersOf({ path, parameters }: Route): unknown[] {
  const queries = parameters.map(({ name, description, type = 'string' }) => ({ name, in: 'query', description, schema: { type } }));
  return [...idParameter(path), ...queries];
}

function idParameter(path: string): unknown[] {
  return path.includes('{id}') ? [{ name: 'id', in: 'path', required: true, schema: text }] : [];
}

function responsesOf(route: Route): Record<string, unknown> {
  const error = reference('Error');
  return {
    '200': answer('found', answerSchema(route)),
    '400': answer('a parameter cannot be accepted', error),
    ...(route.path.includes('{id}') ? { '404': answer('not there', error) } : {}),
    '503': answer('the site or the history cannot be asked now', error),
  };
}

function answer(description: string, schema: JsonSchema): unknown {
  return { description, content: { 'application/json': { schema } } };
}
