import { nearestName } from '../base/nearest-name.ts';
import {
  addressTable,
  connectorTable,
  listenerTable,
  logTable,
  routerTable,
  signingTable,
  siteTable,
  sslProfileTable,
  type EntityTable,
} from './entity-tables.ts';
import {
  amqpConnectorTable,
  amqpListenerTable,
  httpConnectorTable,
  httpListenerTable,
  listenerAddressTable,
  tcpConnectorTable,
  tcpListenerTable,
  udpConnectorTable,
  udpListenerTable,
} from './service-tables.ts';
import type { Entity, EntityOf, EntityType } from './entities.ts';
import { record, SchemaProblem } from './schema.ts';

type EntityTables = { readonly [T in EntityType]: EntityTable<EntityOf<T>> };

/** The table of each entity type. */
export const entityTables: EntityTables = {
  router: routerTable,
  site: siteTable,
  sslProfile: sslProfileTable,
  signing: signingTable,
  listener: listenerTable,
  connector: connectorTable,
  tcpListener: tcpListenerTable,
  tcpConnector: tcpConnectorTable,
  listenerAddress: listenerAddressTable,
  httpListener: httpListenerTable,
  httpConnector: httpConnectorTable,
  udpListener: udpListenerTable,
  udpConnector: udpConnectorTable,
  amqpListener: amqpListenerTable,
  amqpConnector: amqpConnectorTable,
  address: addressTable,
  log: logTable,
};

export const entityTypes: readonly EntityType[] = Object.keys(entityTables) as EntityType[];

/** Entities of skupper-router that this router does not implement, and why a configuration cannot have them. */
const refusedTypes: Readonly<Record<string, string>> = {
  network: 'tenants and networks of networks are not implemented yet',
  proxyProfile: 'HTTP proxies are not implemented yet',
  autoLink: 'auto links are not implemented yet',
  policy: 'policies are not implemented yet',
  vhost: 'policies are not implemented yet',
  vhostUserGroupSettings: 'policies are not implemented yet',
};

const typePrefix = /^(?:io\.skupper\.router\.)?(?:router\.config\.)?/;

/** The entity type that `name` means: `tcpListener`, `io.skupper.router.tcpListener`, `router.config.address`. Throws SchemaProblem. */
export function entityTypeOf(name: string): EntityType {
  const short = name.replace(typePrefix, '');
  const found = entityTypes.find((type) => type === short);
  if (found !== undefined) return found;
  if (Object.hasOwn(refusedTypes, short)) {
    throw new SchemaProblem('unsupported', [], `entity '${name}' is not supported: ${refusedTypes[short]}`);
  }
  const near = nearestName(short, entityTypes);
  throw new SchemaProblem('unknown', [], `entity '${name}' is unknown${near === undefined ? '' : `; did you mean '${near}'?`}`);
}

/** Reads the attributes of one entity: `attributes` is a Map or a plain object of untyped values. Throws SchemaProblem. */
export function readEntity<T extends EntityType>(type: T, attributes: unknown): EntityOf<T> {
  // The tables are looked up by T, but TypeScript cannot follow that an EntityTable<EntityOf<T>> makes an EntityOf<T>.
  const table = entityTables[type] as unknown as EntityTable<Entity>;
  const read = record(table.fields, table.options).read(attributes, []);
  const name = read.name === '' ? table.defaultName(read) : read.name;
  const conflict = table.conflict?.(read);
  if (conflict !== undefined) throw new SchemaProblem('invalid', [], conflict);
  return { ...read, type, name } as unknown as EntityOf<T>;
}

/** The attributes of an entity as a file or a response shows them: without the type, which stands beside them. */
export function attributesOf(entity: Entity): Readonly<Record<string, string | number | boolean>> {
  return Object.fromEntries(Object.entries(entity).filter(([key]) => key !== 'type'));
}
