import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readEntity } from '../management/entity-schema.ts';
import { SchemaProblem } from '../management/schema.ts';
import type { ServiceType } from './resource-types.ts';
import { readServiceSettings, serviceSettings, type ServiceKind } from './service-settings.ts';

const entityTypes = {
  Listener: { tcp: 'tcpListener', http: 'httpListener', http2: 'httpListener', udp: 'udpListener', amqp: 'amqpListener' },
  Connector: { tcp: 'tcpConnector', http: 'httpConnector', http2: 'httpConnector', udp: 'udpConnector', amqp: 'amqpConnector' },
} as const;

/** A good value for each setting. */
const values: Readonly<Record<string, string>> = {
  'require-client-cert': 'false',
  balancing: 'round-robin',
  'request-timeout': '1m',
  'try-timeout': '500ms',
  'header-timeout': '5s',
  'idle-timeout': '2m',
  'max-tries': '16',
  'max-header-bytes': '65535',
  'event-channel': 'json',
  priority: '3',
  overflow: '20',
  'max-requests': '1',
  'connect-timeout': '1s',
  'activation-url': 'http://127.0.0.1:8080/start',
  'activation-command': 'systemctl --user start shop',
  'activation-timeout': '5s',
  node: 'orders-in',
  direction: 'from-server',
  username: 'van',
  'password-file': '/etc/caravan/password',
  'max-datagram-bytes': '1400',
  'multicast-group': '239.1.2.3',
  addresses: 'orders, events.*',
  'web-socket': 'true',
};

test('each setting becomes an attribute that its entity knows', () => {
  for (const kind of ['Listener', 'Connector'] as const) {
    for (const [type, settings] of Object.entries(serviceSettings[kind])) {
      for (const [name, { attribute }] of Object.entries(settings)) {
        const attributes = readServiceSettings(kind, type as ServiceType, { [name]: values[name] ?? '' }, []);
        assert.deepEqual(Object.keys(attributes), [attribute], name);
        const tls = type === 'udp' ? {} : { sslProfile: 'x' };
        const written = { address: 'a', host: 'localhost', port: 1, ...tls, ...attributes };
        const entity = readEntity(entityTypes[kind][type as ServiceType], written);
        assert.equal(new Map<string, unknown>(Object.entries(entity)).get(attribute), attributes[attribute], name);
      }
    }
  }
});

const refused: readonly (readonly [ServiceKind, ServiceType, string, string, RegExp])[] = [
  ['Listener', 'http', 'max-tries', '0', /must be a number from 1 to 16; 3 when absent, not the text '0'/],
  ['Listener', 'http', 'max-tries', '17', /from 1 to 16/],
  ['Listener', 'http', 'max-tries', '2.5', /from 1 to 16/],
  ['Listener', 'http', 'max-header-bytes', '65536', /from 512 to 65535/],
  ['Listener', 'http', 'header-timeout', '0', /must be a duration such as 500ms, 30s or 5m; 8s when absent/],
  ['Listener', 'http', 'request-timeout', '30', /must be a duration such as 500ms, 30s or 5m, or 0; 0 when absent/],
  ['Listener', 'http', 'request-timeout', '25h', /must be a duration/],
  ['Listener', 'http', 'balancing', 'round-robbin', /did you mean 'round-robin'/],
  ['Listener', 'http', 'priority', '1', /setting 'priority' is unknown/],
  ['Listener', 'tcp', 'max-tries', '2', /setting 'max-tries' is for type http or http2, not tcp/],
  ['Listener', 'tcp', 'require-client-crt', 'true', /did you mean 'require-client-cert'/],
  ['Listener', 'tcp', 'require-client-cert', 'yes', /must be one of true, false/],
  ['Connector', 'http', 'max-request', '1', /did you mean 'max-requests'/],
  ['Connector', 'http', 'activation-url', 'ftp://x', /http:\/\/ or https:\/\/ address/],
  ['Connector', 'http', 'activation-command', 'a\nb', /a command on one line/],
  ['Listener', 'amqp', 'addresses', 'or*ders', /a \* at the end of one/],
  ['Listener', 'amqp', 'addresses', ', ', /separated by commas/],
  ['Connector', 'udp', 'multicast-group', '10.0.0.1', /IP multicast address/],
  ['Connector', 'udp', 'max-requests', '1', /is for type http or http2, not udp/],
];

for (const [kind, type, name, value, message] of refused) {
  test(`refuses ${name}: ${JSON.stringify(value)} for ${kind} of type ${type}`, () => {
    assert.throws(
      () => readServiceSettings(kind, type, { [name]: value }, ['spec', 'settings']),
      (error) => {
        assert.ok(error instanceof SchemaProblem);
        assert.match(error.message, message);
        assert.deepEqual(error.path, ['spec', 'settings', name]);
        return true;
      },
    );
  });
}

test('settings of TCP services that nobody knows are let be', () => {
  assert.deepEqual(readServiceSettings('Connector', 'tcp', { 'owner-team': 'blue' }, []), {});
});
