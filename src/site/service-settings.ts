import { nearestName } from '../base/nearest-name.ts';
import { addressPatterns } from '../management/attribute-types.ts';
import { choice, SchemaProblem, text, type Path, type Schema } from '../management/schema.ts';
import { amqpDirections, balancings, eventChannels } from '../management/service-entities.ts';
import {
  activationCommand,
  activationUrl,
  amqpNode,
  multicastGroup,
  passwordFile,
  serviceNumbers,
  type ServiceNumber,
} from '../management/service-tables.ts';
import { parseDuration } from './duration.ts';
import type { ServiceType } from './resource-types.ts';

/** The settings of Listeners and Connectors: what Skupper has no key for. Values are text, as in all settings. */

export type ServiceKind = 'Listener' | 'Connector';

type AttributeValue = string | number | boolean;

export interface ServiceSetting {
  /** The attribute of the router's entity that it becomes. */
  readonly attribute: string;
  readonly schema: Schema<AttributeValue>;
  readonly meaning: string;
}

type Settings = Readonly<Record<string, ServiceSetting>>;

function setting(attribute: string, schema: Schema<AttributeValue>, meaning: string): ServiceSetting {
  return { attribute, schema, meaning };
}

function problem(path: Path, type: string, value: unknown): SchemaProblem {
  return new SchemaProblem('invalid', path, `must be ${type}, not the text '${String(value).slice(0, 60)}'`);
}

/** A whole number, written as text. */
function count(name: ServiceNumber): Schema<number> {
  const { least, most, usual } = serviceNumbers[name];
  const type = `a number from ${least} to ${most}; ${usual} when absent`;
  return {
    type,
    read(value, path): number {
      const number = /^\d{1,10}$/.test(String(value)) ? Number(value) : -1;
      if (number < least || number > most) throw problem(path, type, value);
      return number;
    },
  };
}

/** A duration, in milliseconds. */
function time(name: ServiceNumber): Schema<number> {
  const { least, most, usual } = serviceNumbers[name];
  const zero = least === 0 ? ', or 0' : '';
  const type = `a duration such as 500ms, 30s or 5m${zero}; ${usual === 0 ? '0' : `${usual / 1000}s`} when absent`;
  return {
    type,
    read(value, path): number {
      const written = String(value);
      const milliseconds = written === '0' ? 0 : parseDuration(written);
      if (milliseconds === undefined || milliseconds < least || milliseconds > most) throw problem(path, type, value);
      return milliseconds;
    },
  };
}

function truth(): Schema<boolean> {
  const words = choice(['true', 'false']);
  return { type: '"true" or "false"; false when absent', read: (value, path) => words.read(value, path) === 'true' };
}

const clientCertificate: Settings = {
  'require-client-cert': setting(
    'authenticatePeer',
    truth(),
    'clients must show a certificate of an authority in ca.crt of the tlsCredentials',
  ),
};

const httpListenerSettings: Settings = {
  ...clientCertificate,
  balancing: setting('balancing', choice(balancings), 'how a server is chosen for each request; balanced when absent'),
  'request-timeout': setting('requestTimeoutMs', time('requestTimeoutMs'), 'for the whole answer, all tries included; 0 = no limit'),
  'try-timeout': setting('tryTimeoutMs', time('tryTimeoutMs'), 'until one server has begun to answer; 0 = no limit'),
  'header-timeout': setting('headerTimeoutMs', time('headerTimeoutMs'), 'for the head of a request, from its first octet'),
  'idle-timeout': setting('idleTimeoutMs', time('idleTimeoutMs'), 'a connection without request is closed after it'),
  'max-tries': setting('maxTries', count('maxTries'), 'servers that one request is given to at most'),
  'max-header-bytes': setting('maxHeaderBytes', count('maxHeaderBytes'), 'longest head of a request'),
  'event-channel': setting(
    'eventChannel',
    choice(eventChannels),
    'each request goes to all servers, and their answers become one of this form',
  ),
};

const httpConnectorSettings: Settings = {
  priority: setting('priority', count('priority'), '0 = first choice; others get requests when those before them cannot take more'),
  overflow: setting('overflow', count('overflow'), 'requests under way from which on the next priority gets some, too; 0 = never'),
  'max-requests': setting('maxRequests', count('maxRequests'), 'requests under way at the server at most'),
  'connect-timeout': setting('connectTimeoutMs', time('connectTimeoutMs'), 'until the server has accepted a connection'),
  'activation-url': setting('activationUrl', activationUrl(), 'a POST to it starts the server when it is not there'),
  'activation-command': setting('activationCommand', activationCommand(), 'starts the server when it is not there'),
  'activation-timeout': setting(
    'activationTimeoutMs',
    time('activationTimeoutMs'),
    'how long requests wait for a server that is being started',
  ),
};

const udpSettings: Settings = {
  'idle-timeout': setting(
    'idleTimeoutMs',
    time('flowTimeoutMs'),
    'a flow between a client and a server ends after this time without datagrams',
  ),
  'max-datagram-bytes': setting('maxDatagramBytes', count('maxDatagramBytes'), 'longer datagrams are dropped'),
  'multicast-group': setting('multicastGroup', multicastGroup(), 'IP multicast group to receive from (Listener) or send to (Connector)'),
};

const amqpListenerSettings: Settings = {
  ...clientCertificate,
  addresses: setting(
    'addresses',
    addressPatterns(),
    'what clients may use, with commas: a name, prefix* or *; the routing key alone when absent',
  ),
  'web-socket': setting('webSocket', truth(), 'clients may also speak AMQP over WebSocket'),
  'idle-timeout': setting('idleTimeoutMs', time('idleTimeoutMs'), 'a client that is silent for this time is gone'),
};

const amqpConnectorSettings: Settings = {
  node: setting('node', amqpNode(), 'queue, topic or other node of the server; the routing key when absent'),
  direction: setting(
    'direction',
    choice(amqpDirections),
    'to-server = the node takes messages of the routing key (when absent); from-server = what the node has is sent there',
  ),
  username: setting('saslUsername', text({ maximumLength: 256 }), 'for PLAIN; without it EXTERNAL with TLS, or ANONYMOUS'),
  'password-file': setting('saslPasswordFile', passwordFile(), 'file with the password alone'),
};

/** By kind and type. */
export const serviceSettings: Readonly<Record<ServiceKind, Readonly<Record<ServiceType, Settings>>>> = {
  Listener: {
    tcp: clientCertificate,
    http: httpListenerSettings,
    http2: httpListenerSettings,
    udp: udpSettings,
    amqp: amqpListenerSettings,
  },
  Connector: { tcp: {}, http: httpConnectorSettings, http2: httpConnectorSettings, udp: udpSettings, amqp: amqpConnectorSettings },
};

const anyText = text({ minimumLength: 0 });

/**
 * The attributes that settings stand for. Settings of TCP services that nobody knows are let be, as in Skupper; other types have none but
 * their own. Throws SchemaProblem.
 */
export function readServiceSettings(
  kind: ServiceKind,
  type: ServiceType,
  settings: Readonly<Record<string, string>>,
  path: Path,
): Readonly<Record<string, AttributeValue>> {
  const known = serviceSettings[kind][type];
  const attributes: [string, AttributeValue][] = [];
  for (const [key, value] of Object.entries(settings)) {
    const found = Object.hasOwn(known, key) ? known[key] : undefined;
    if (found === undefined) refuseUnknown(kind, type, key, path);
    else attributes.push([found.attribute, found.schema.read(anyText.read(value, [...path, key]), [...path, key])]);
  }
  return Object.fromEntries(attributes);
}

function refuseUnknown(kind: ServiceKind, type: ServiceType, key: string, path: Path): void {
  const types = (Object.keys(serviceSettings[kind]) as ServiceType[]).filter((other) => Object.hasOwn(serviceSettings[kind][other], key));
  if (types.length > 0) {
    throw new SchemaProblem('unsupported', [...path, key], `setting '${key}' is for type ${types.join(' or ')}, not ${type}`);
  }
  const near = nearestName(key, Object.keys(serviceSettings[kind][type]));
  if (type === 'tcp' && near === undefined) return;
  const suggestion = near === undefined ? '' : `; did you mean '${near}'?`;
  throw new SchemaProblem('unknown', [...path, key], `setting '${key}' is unknown${suggestion}`);
}
