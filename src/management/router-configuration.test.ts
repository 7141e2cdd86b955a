import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InputError } from '../base/errors.ts';
import { formatRouterConfiguration, parseRouterConfiguration } from './router-configuration.ts';

const router = '["router", {"id": "west", "mode": "interior"}]';

test('reads a configuration with the numbers and booleans that control planes write as text', () => {
  const configuration = parseRouterConfiguration(
    `[
      ["router", {"id": "west", "mode": "interior", "helloMaxAgeSeconds": "3", "workerThreads": 4, "dropTcpConnections": true}],
      ["site", {"name": "site-1", "platform": "linux"}],
      ["listener", {"host": "0.0.0.0", "port": "55671", "role": "inter-router", "sslProfile": "links", "authenticatePeer": "yes",
                    "saslMechanisms": "EXTERNAL", "stripAnnotations": "both", "http": false}],
      ["sslProfile", {"name": "links", "caCertFile": "/ca.crt", "certFile": "/tls.crt", "privateKeyFile": "/tls.key"}],
      ["connector", {"name": "east", "host": "east.example", "port": "amqps", "role": "inter-router", "cost": "5", "sslProfile": "links",
                     "failoverUrls": "east-2.example:55671, [::1]:55671"}],
      ["tcpListener", {"name": "backend", "address": "backend", "port": 8080, "observer": "auto"}],
      ["tcpListener", {"name": "many", "port": "0", "multiAddressStrategy": "weighted"}],
      ["listenerAddress", {"address": "a", "value": 2, "listener": "many"}],
      ["tcpConnector", {"name": "backend", "address": "backend", "host": "localhost", "port": "8081"}],
      ["io.skupper.router.router.config.address", {"prefix": "mc", "distribution": "multicast"}],
      ["log", {"module": "DEFAULT", "enable": "info+"}]
    ]`,
    'router.json',
  );
  assert.equal(configuration.router.helloMaxAgeSeconds, 3);
  assert.equal(configuration.router.remoteLsMaxAgeSeconds, 60);
  assert.deepEqual(configuration.listeners[0], {
    type: 'listener',
    name: 'listener/0.0.0.0:55671',
    host: '0.0.0.0',
    port: 55671,
    role: 'inter-router',
    cost: 1,
    sslProfile: 'links',
    saslMechanisms: 'EXTERNAL',
    maxFrameSize: 16384,
    idleTimeoutSeconds: 16,
    linkCapacity: 250,
    authenticatePeer: true,
    requireEncryption: false,
    requireSsl: false,
    initialHandshakeTimeoutSeconds: 5,
    http: false,
  });
  assert.equal(configuration.connectors[0]?.port, 5671);
  assert.equal(configuration.connectors[0]?.failoverUrls, 'east-2.example:55671,[::1]:55671');
  assert.equal(configuration.tcpListeners[1]?.port, 0);
  assert.equal(configuration.listenerAddresses[0]?.name, 'listenerAddress/many/a');
  assert.deepEqual(configuration.addresses, [{ type: 'address', name: 'address/mc', prefix: 'mc', distribution: 'multicast' }]);
  assert.deepEqual(parseRouterConfiguration(formatRouterConfiguration(configuration), 'again'), configuration);
});

const refused: readonly (readonly [string, string, string])[] = [
  ['[', 'json-syntax', 'f.json:1:2: expected a value, found the end of the text'],
  ['[\n ["router" {}]]', 'json-syntax', "f.json:2:12: expected ',' or ']', found '{'"],
  ['[["router", {"id": "a",\n  "id": "b"}]]', 'json-syntax', "f.json:2:3: the key 'id' stands twice in the same object"],
  ['[["router", {"id": "a}]]', 'json-syntax', 'f.json:1:20: this text is not closed before the end of its line'],
  ['[["router", {"id": "\\x"}]]', 'json-syntax', 'f.json:1:20: this text has an escape that JSON does not know'],
  ['[] x', 'json-syntax', "f.json:1:4: unexpected 'x' after the end of the document"],
  ['[01]', 'json-syntax', "f.json:1:3: expected ',' or ']', found '1'"],
  ['{}', 'configuration-invalid', 'f.json: must be a list of ["entity", {attributes}] pairs'],
  ['[]', 'configuration-missing', 'f.json: has no router entity; add ["router", {"id": "NAME", "mode": "interior"}]'],
  ['[["router"]]', 'configuration-invalid', 'f.json:1: entity 1: must be a pair ["entity", {attributes}]'],
  [`[${router}, 7]`, 'configuration-invalid', 'f.json: entity 2: must be a pair ["entity", {attributes}]'],
  [
    `[${router},\n["tcpListener", {"name": "backend", "adress": "x", "port": 1}]]`,
    'configuration-unknown',
    "f.json:2: entity 2 (tcpListener 'backend'): attribute 'adress' is unknown; did you mean 'address'?",
  ],
  [
    `[${router}, ["tcpListner", {}]]`,
    'configuration-unknown',
    "f.json:1: entity 2 (tcpListner): entity 'tcpListner' is unknown; did you mean 'tcpListener'?",
  ],
  [
    `[${router}, ["proxyProfile", {"name": "p"}]]`,
    'configuration-unsupported',
    "f.json:1: entity 2 (proxyProfile 'p'): entity 'proxyProfile' is not supported: HTTP proxies are not implemented yet",
  ],
  [
    `[${router}, ["connector", {"role": "normal"}]]`,
    'configuration-invalid',
    "f.json:1: entity 2 (connector): connectors of role 'normal' are not implemented yet",
  ],
  [
    `[${router}, ["listener", {"role": "edge"}]]`,
    'configuration-unsupported',
    "f.json:1: entity 2 (listener): role 'edge' is not supported: edge routers are not implemented yet",
  ],
  [
    `[${router}, ["listener", {"role": "inter-router", "http": true}]]`,
    'configuration-invalid',
    "f.json:1: entity 2 (listener): http is for role 'normal'",
  ],
  [
    `[${router}, ["tcpConnector", {"address": "a", "port": 70000}]]`,
    'configuration-invalid',
    "f.json:1: entity 2 (tcpConnector): attribute 'port' must be an integer from 1 to 65535, not 70000",
  ],
  [
    `[${router}, ["tcpConnector", {"address": "a", "port": "80x"}]]`,
    'configuration-invalid',
    "f.json:1: entity 2 (tcpConnector): attribute 'port' must be an integer from 1 to 65535, not the text '80x'",
  ],
  [
    `[${router}, ["tcpConnector", {"port": 1}]]`,
    'configuration-missing',
    "f.json:1: entity 2 (tcpConnector): attribute 'address' is required (an address of 1 to 250 characters without blanks: service address (routing key))",
  ],
  [
    `[${router}, ["tcpListener", {"port": 1}]]`,
    'configuration-invalid',
    "f.json:1: entity 2 (tcpListener): attribute 'address' is required (service address)",
  ],
  [
    `[${router}, ["tcpListener", {"port": 1, "address": "a", "multiAddressStrategy": "priority"}]]`,
    'configuration-invalid',
    "f.json:1: entity 2 (tcpListener): attribute 'address' and multiAddressStrategy 'priority' exclude each other",
  ],
  [
    `[${router}, ["tcpListener", {"name": "a", "port": 1, "address": "a"}], ["tcpListener", {"name": "a", "port": 2, "address": "b"}]]`,
    'configuration-invalid',
    "f.json:1: entity 3 (tcpListener 'a'): the name 'a' is already used by another tcpListener",
  ],
  [`[${router}, ${router}]`, 'configuration-invalid', 'f.json:1: entity 2 (router): there is a router entity already'],
  [
    `[${router}, ["sslProfile", {"name": "links"}], ["connector", {"name": "c", "role": "inter-router", "sslProfile": "link"}]]`,
    'configuration-invalid',
    "f.json:1: entity 3 (connector 'c'): sslProfile 'link' does not exist; did you mean 'links'?",
  ],
  [
    `[${router}, ["sslProfile", {"name": "p", "certFile": "/c"}]]`,
    'configuration-invalid',
    "f.json:1: entity 2 (sslProfile 'p'): certFile and privateKeyFile go together",
  ],
  [
    `[${router}, ["listenerAddress", {"address": "a", "value": 1, "listener": "none"}]]`,
    'configuration-invalid',
    "f.json:1: entity 2 (listenerAddress): tcpListener 'none' does not exist",
  ],
  [
    `[${router}, ["address", {}]]`,
    'configuration-invalid',
    "f.json:1: entity 2 (address): exactly one of 'prefix' and 'pattern' is required",
  ],
  [
    `[${router}, ["connector", {"role": "inter-router", "saslMechanisms": "SCRAM-SHA-256"}]]`,
    'configuration-invalid',
    "f.json:1: entity 2 (connector): attribute 'saslMechanisms' must be SASL mechanisms (EXTERNAL, ANONYMOUS, PLAIN) separated by blanks, not the text 'SCRAM-SHA-256'",
  ],
  [
    `[${router}, ["tcpListener", {"port": 1, "address": "a", "sslProfile": "x"}]]`,
    'configuration-invalid',
    "f.json:1: entity 2 (tcpListener): sslProfile 'x' does not exist",
  ],
  [
    `[${router}, ["tcpConnector", {"port": 1, "address": "a", "bytesIn": 3}]]`,
    'configuration-unsupported',
    "f.json:1: entity 2 (tcpConnector): attribute 'bytesIn' is not supported: it is read-only",
  ],
];

for (const [text, code, message] of refused) {
  test(`refuses ${text.replaceAll('\n', ' ').slice(0, 100)}`, () => {
    assert.throws(
      () => parseRouterConfiguration(text, 'f.json'),
      (error: unknown) => {
        assert.ok(error instanceof InputError);
        assert.equal(error.message, message);
        assert.equal(error.code, code);
        return true;
      },
    );
  });
}

test('a message never repeats a password', () => {
  const text = `[${router}, ["connector", {"saslPassword": ["hunter2"]}]]`;
  assert.throws(
    () => parseRouterConfiguration(text, 'f'),
    (error: Error) => !error.message.includes('hunter2'),
  );
});

test('keys of a document never reach a prototype', () => {
  const text = `[["router", {"id": "a", "__proto__": {"mode": "interior"}}]]`;
  assert.throws(() => parseRouterConfiguration(text, 'f'), /attribute '__proto__' is unknown/);
});

test('nesting and table sizes are limited', () => {
  assert.throws(() => parseRouterConfiguration('['.repeat(100_000), 'f'), /nested deeper than 64 levels/);
  const profiles = Array.from({ length: 1025 }, (_, index) => `["sslProfile", {"name": "p${index}"}]`);
  assert.equal(parseRouterConfiguration(`[${router}, ${profiles.slice(1).join()}]`, 'f').sslProfiles.length, 1024);
  assert.throws(() => parseRouterConfiguration(`[${router}, ${profiles.join()}]`, 'f'), /there are 1024 sslProfile entities already/);
});

test('a full table of listeners is read in linear time', () => {
  const listeners = Array.from({ length: 8192 }, (_, index) => `["tcpListener", {"name": "l${index}", "port": 0, "address": "a${index}"}]`);
  const started = performance.now();
  const configuration = parseRouterConfiguration(`[${router},\n${listeners.join(',\n')}]`, 'f');
  assert.equal(configuration.tcpListeners.length, 8192);
  assert.ok(performance.now() - started < 5000);
});
