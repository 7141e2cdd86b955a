import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { InputError } from '../base/errors.ts';
import { formatResources, parseResources, secretFile } from './resources.ts';
import type { Resource, ResourceOf } from './resource-types.ts';
import { yamlLengthLimit } from './yaml-text.ts';

/** A document of `kind` with `spec` lines indented below it: the spec begins on line 6. */
function documentOf(kind: string, ...spec: string[]): string {
  return [
    `apiVersion: skupper.io/v2alpha1`,
    `kind: ${kind}`,
    'metadata:',
    '  name: a',
    'spec:',
    ...spec.map((line) => `  ${line}`),
    '',
  ].join('\n');
}

const accepted: readonly (readonly [string, unknown])[] = [
  [documentOf('Site', 'linkAccess: default', 'edge: false', 'ha: false'), { linkAccess: 'default' }],
  ['apiVersion: skupper.io/v2alpha1\nkind: Site\nmetadata: {name: a}\n', {}],
  [
    documentOf('Site', 'settings:', '  router-logging: "info+,ROUTER_LS:debug+"'),
    { settings: { 'router-logging': 'info+,ROUTER_LS:debug+' } },
  ],
  [
    documentOf('Listener', 'routingKey: backend', 'host: 0.0.0.0', 'port: 8080', 'type: tcp', 'observer: auto', 'exposePodsByName: false'),
    { routingKey: 'backend', host: '0.0.0.0', port: 8080, type: 'tcp', observer: 'auto' },
  ],
  [documentOf('Connector', 'routingKey: backend', 'host: localhost', 'port: 80'), { routingKey: 'backend', host: 'localhost', port: 80 }],
  [
    documentOf(
      'Link',
      'endpoints:',
      '- {name: inter-router, host: "::1", port: "55671", group: g}',
      '- {name: edge, host: b.example, port: 45671}',
      'cost: 5',
      'tlsCredentials: east',
    ),
    {
      endpoints: [
        { name: 'inter-router', host: '::1', port: '55671', group: 'g' },
        { name: 'edge', host: 'b.example', port: '45671' },
      ],
      tlsCredentials: 'east',
      cost: 5,
    },
  ],
  [documentOf('AccessGrant', 'redemptionsAllowed: 3', 'expirationWindow: 1h30m'), { redemptionsAllowed: 3, expirationWindow: '1h30m' }],
  [
    documentOf(
      'AccessToken',
      'url: https://a.example:55671/redeem/x',
      'code: "0123"',
      'ca: |',
      '  -----BEGIN CERTIFICATE-----',
      '  MAA=',
      '  -----END CERTIFICATE-----',
      'linkCost: 2',
    ),
    {
      url: 'https://a.example:55671/redeem/x',
      code: '0123',
      ca: '-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n',
      linkCost: 2,
    },
  ],
  [
    documentOf(
      'RouterAccess',
      'roles: [{name: inter-router, port: 0}, {name: edge}]',
      'tlsCredentials: own',
      'bindHost: 127.0.0.1',
      'subjectAlternativeNames: [a.example]',
    ),
    {
      roles: [{ name: 'inter-router', port: 0 }, { name: 'edge' }],
      tlsCredentials: 'own',
      bindHost: '127.0.0.1',
      subjectAlternativeNames: ['a.example'],
    },
  ],
  [
    documentOf('MultiKeyListener', 'host: 127.0.0.1', 'port: 1', 'strategy: {priority: {routingKeys: [a, b]}}'),
    { host: '127.0.0.1', port: 1, strategy: { priority: { routingKeys: ['a', 'b'] } } },
  ],
  [
    documentOf('MultiKeyListener', 'host: 127.0.0.1', 'port: 1', 'strategy: {weighted: {routingKeys: {a: 1, b: 3}}}'),
    { host: '127.0.0.1', port: 1, strategy: { weighted: { routingKeys: { a: 1, b: 3 } } } },
  ],
];

for (const [text, spec] of accepted) {
  test(`reads ${text.split('\n').slice(1, 8).join(' ').slice(0, 110)}`, () => {
    const [resource, ...others] = parseResources(text, 'f.yaml');
    assert.deepEqual(resource?.spec, spec);
    assert.equal(others.length, 0);
    assert.deepEqual(parseResources(formatResources([resource]), 'again'), [resource]);
  });
}

const listener = ['routingKey: a', 'host: 127.0.0.1', 'port: 1'];

const refused: readonly (readonly [string, string, string | RegExp])[] = [
  ['a: [', 'yaml-syntax', /^f\.yaml:1:/],
  ['kind: Site\n\tmetadata: x\n', 'yaml-syntax', /^f\.yaml:2:1: Tabs are not allowed as indentation/],
  ['a: 1\na: 2\n', 'yaml-syntax', "f.yaml:2:1: the key 'a' stands twice in the same map"],
  ['? [a]\n: 1\n', 'yaml-syntax', /^f\.yaml:1:/],
  ['a: !thing x\n', 'yaml-syntax', /^f\.yaml:1:4: Unresolved tag/],
  ['a: *nowhere\n', 'yaml-syntax', 'f.yaml:1:4: the alias *nowhere refers to no anchor before it'],
  ['- 1\n', 'resource-invalid', 'f.yaml:1: must be a map, not a list'],
  ['hello\n', 'resource-invalid', "f.yaml:1: must be a map, not the text 'hello'"],
  ['kind: Site\n', 'resource-missing', /^f\.yaml:1: key 'apiVersion' is required/],
  [
    'apiVersion: skupper.io/v1alpha1\nkind: Site\n',
    'resource-unsupported',
    "f.yaml:1: apiVersion: must be skupper.io/v2alpha1 for Site, not 'skupper.io/v1alpha1'",
  ],
  ['apiVersion: v1\nkind: Listner\n', 'resource-unknown', "f.yaml:2: kind: kind 'Listner' is unknown; did you mean 'Listener'?"],
  [
    'apiVersion: v1\nkind: AttachedConnector\n',
    'resource-unsupported',
    /^f\.yaml:2: kind: AttachedConnector is not supported: it needs Kubernetes/,
  ],
  [
    'apiVersion: skupper.io/v2alpha1\nkind: Site\nmetadata:\n  nmae: x\n',
    'resource-unknown',
    "f.yaml:4: metadata.nmae: key 'nmae' is unknown; did you mean 'name'?",
  ],
  [
    'apiVersion: skupper.io/v2alpha1\nkind: Site\nmetadata: {name: My_Site}\n',
    'resource-invalid',
    /^f\.yaml:3: metadata\.name: must be a name of at most 63 lower case/,
  ],
  [
    'apiVersion: skupper.io/v2alpha1\nkind: Listener\nmetadata: {name: ../../etc}\n',
    'resource-invalid',
    /^f\.yaml:3: metadata\.name: must be a name of lower case/,
  ],
  [
    'apiVersion: skupper.io/v2alpha1\nkind: Listener\nmetadata: {name: a}\n',
    'resource-missing',
    /^f\.yaml:1: spec: key 'routingKey' is required/,
  ],
  [
    `${documentOf('Listener', ...listener)}---\n${documentOf('Listener', ...listener)}`,
    'resource-duplicate',
    "f.yaml:13: metadata.name: Listener 'a' is already at f.yaml:4",
  ],
  [
    documentOf('Listener', 'routingKey: a', 'host: x', 'prot: 1'),
    'resource-unknown',
    "f.yaml:8: spec.prot: key 'prot' is unknown; did you mean 'port'?",
  ],
  [
    documentOf('Listener', 'routingKey: a', 'host: x', 'port: "80"'),
    'resource-invalid',
    "f.yaml:8: spec.port: must be an integer from 1 to 65535, not the text '80'",
  ],
  [
    documentOf('Listener', 'routingKey: a', 'host: x', 'port: 65536'),
    'resource-invalid',
    /^f\.yaml:8: spec\.port: must be an integer from 1 to 65535, not 65536/,
  ],
  [
    documentOf('Listener', 'routingKey: 7', 'host: x', 'port: 1'),
    'resource-invalid',
    /^f\.yaml:6: spec\.routingKey: must be an address .*, not 7/,
  ],
  [documentOf('Listener', 'routingKey: a b', 'host: x', 'port: 1'), 'resource-invalid', /^f\.yaml:6: spec\.routingKey: must be an address/],
  [
    documentOf('Connector', ...listener, 'type: amqp', 'settings: { direction: both }'),
    'resource-invalid',
    "f.yaml:10: spec.settings.direction: must be one of to-server, from-server, not the text 'both'",
  ],
  [
    documentOf('Listener', ...listener, 'type: tpc'),
    'resource-invalid',
    "f.yaml:9: spec.type: must be one of tcp, http, http2, udp, amqp, not the text 'tpc'; did you mean 'tcp'?",
  ],
  [
    documentOf('Listener', ...listener, 'tlsCredentials: ../x'),
    'resource-invalid',
    /^f\.yaml:9: spec\.tlsCredentials: must be the name of a Secret or certificate folder/,
  ],
  [documentOf('Listener', ...listener, 'settings: {a: 1}'), 'resource-invalid', /^f\.yaml:9: spec\.settings\.a: must be text, not 1/],
  [
    documentOf('Connector', 'routingKey: a', 'port: 1', 'selector: app=a'),
    'resource-unsupported',
    "f.yaml:8: spec.selector: key 'selector' is not supported: it needs Kubernetes; on a host use 'host' to say where the server is",
  ],
  [
    documentOf('Connector', 'routingKey: a', 'port: 1'),
    'resource-missing',
    /^f\.yaml:5: spec: key 'host' is required .*localhost for this host/,
  ],
  [
    documentOf('Site', 'linkAccess: loadbalancer'),
    'resource-unsupported',
    "f.yaml:6: spec.linkAccess: linkAccess 'loadbalancer' is not supported: it needs Kubernetes; on a host use 'default'",
  ],
  [documentOf('Site', 'edge: true'), 'resource-unsupported', /^f\.yaml:6: spec\.edge: key 'edge' is not supported: edge sites/],
  [
    documentOf('Site', 'settings: {router-logging: loud}'),
    'resource-invalid',
    /^f\.yaml:6: spec\.settings\.router-logging: must be log levels/,
  ],
  [documentOf('Site', 'settings: {router-logging: "info,debug"}'), 'resource-invalid', /names DEFAULT twice/],
  [documentOf('Link', 'endpoints: []'), 'resource-invalid', 'f.yaml:6: spec.endpoints: needs at least 1 item'],
  [
    documentOf('Link', 'endpoints:', '- name: inter-router', '  host: a', '- name: inter-router', '  host: b', '  port: 0'),
    'resource-missing',
    /^f\.yaml:7: spec\.endpoints\[0\]: key 'port' is required/,
  ],
  [
    documentOf('Link', 'endpoints: [{name: inter-router, host: a, port: 70000}]'),
    'resource-invalid',
    /spec\.endpoints\[0\]\.port: must be a port number from 1 to 65535, not 70000/,
  ],
  [
    documentOf('Link', 'endpoints: [{name: edge, host: a, port: 1}]'),
    'resource-unsupported',
    /^f\.yaml:6: spec\.endpoints: has no 'inter-router' endpoint/,
  ],
  [
    documentOf('Link', 'endpoints: [{name: inter-router, host: a, port: 1}]', 'settings: {proxy-configuration: p}'),
    'resource-unsupported',
    /^f\.yaml:7: spec\.settings\.proxy-configuration/,
  ],
  [
    documentOf('Link', 'endpoints: [{name: inter-router, host: a, port: 1}]', 'cost: 0'),
    'resource-invalid',
    /^f\.yaml:7: spec\.cost: must be an integer from 1 to 9999, not 0/,
  ],
  [documentOf('AccessGrant', 'expirationWindow: 15 minutes'), 'resource-invalid', /must be a duration such as 90s/],
  [documentOf('AccessGrant', 'expirationWindow: 0s'), 'resource-invalid', /must be a duration such as 90s/],
  [
    documentOf('AccessGrant', 'code: my-secret'),
    'resource-unsupported',
    "f.yaml:6: spec.code: key 'code' is not supported: codes are made by the site; the status of the grant shows it",
  ],
  [
    documentOf('Site', 'settings: {router-logging: "ROUTER:info:debug"}'),
    'resource-invalid',
    /router-logging: must be log levels .*not the text 'info:debug'/,
  ],
  [documentOf('Site', 'settings: {router-logging: "ROUTR:info"}'), 'resource-invalid', /did you mean 'ROUTER'\?/],
  [
    documentOf('Site', 'settings:', '  router-loging: info+'),
    'resource-unknown',
    "f.yaml:7: spec.settings.router-loging: setting 'router-loging' is unknown; did you mean 'router-logging'?",
  ],
  [
    documentOf('Link', `endpoints: [${Array(17).fill('{name: inter-router, host: a, port: 1}').join(', ')}]`),
    'resource-invalid',
    'f.yaml:6: spec.endpoints: has more than 16 endpoints',
  ],
  [
    documentOf('AccessToken', 'url: http://a/b', 'code: x', 'ca: x'),
    'resource-invalid',
    /^f\.yaml:6: spec\.url: must be an https:\/\/ address/,
  ],
  [
    documentOf('AccessToken', 'url: https://a/b', 'code: x', 'ca: x'),
    'resource-invalid',
    /^f\.yaml:8: spec\.ca: must be a certificate in PEM/,
  ],
  [
    documentOf('RouterAccess', 'roles: [{name: edge}]', 'tlsCredentials: x'),
    'resource-invalid',
    /^f\.yaml:6: spec\.roles: needs exactly one 'inter-router' role/,
  ],
  [
    documentOf('MultiKeyListener', 'host: a', 'port: 1', 'strategy: {}'),
    'resource-invalid',
    "f.yaml:8: spec.strategy: needs exactly one of 'priority' and 'weighted'",
  ],
  [
    documentOf('MultiKeyListener', 'host: a', 'port: 1', 'strategy: {priority: {routingKeys: [x, y, x]}}'),
    'resource-invalid',
    "f.yaml:8: spec.strategy.priority.routingKeys[2]: 'x' stands twice",
  ],
  [
    documentOf('MultiKeyListener', 'host: a', 'port: 1', 'strategy: {weighted: {routingKeys: {x: 0}}}'),
    'resource-invalid',
    /needs a weight above 0/,
  ],
  [
    documentOf('MultiKeyListener', 'host: a', 'port: 1', 'strategy: {weighted: {routingKeys: {x: heavy}}}'),
    'resource-invalid',
    /routingKeys\.x: must be an integer from 0 to 65535/,
  ],
  [
    'apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ntype: x\n',
    'resource-unsupported',
    /^f\.yaml:4: type: must be kubernetes\.io\/tls or Opaque/,
  ],
  [
    'apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata:\n  ca.crt: "%%%"\n',
    'resource-invalid',
    "f.yaml:5: data['ca.crt']: is not base64",
  ],
  [
    'apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ntype: kubernetes.io/tls\ndata: {ca.crt: "", tls.key: ""}\n',
    'resource-missing',
    "f.yaml:5: data: key 'tls.crt' is required",
  ],
];

function thrownBy(action: () => unknown): InputError {
  try {
    action();
  } catch (error) {
    assert.ok(error instanceof InputError, `not an InputError: ${String(error)}`);
    return error;
  }
  return assert.fail('nothing was thrown');
}

for (const [text, code, message] of refused) {
  test(`refuses with ${String(message).slice(0, 120)}`, () => {
    const error = thrownBy(() => parseResources(text, 'f.yaml'));
    if (typeof message === 'string') assert.equal(error.message, message);
    else assert.match(error.message, message);
    assert.equal(error.code, code);
  });
}

test('many documents, comments and empty ones between them; status and what Kubernetes adds are dropped', () => {
  const text = `# only a comment\n---\n---\n${documentOf('Listener', ...listener)}status: {status: Ready, conditions: [{type: Ready}]}\n---\n`;
  const generated = documentOf('Connector', ...listener).replace(
    'name: a',
    'name: b\n  uid: "7"\n  resourceVersion: "5"\n  managedFields: [{}]\n  labels: {x: y}',
  );
  const [first, second, ...others] = parseResources(`${text}${generated}...\n`, 'f.yaml');
  assert.deepEqual(first, { kind: 'Listener', metadata: { name: 'a' }, spec: { routingKey: 'a', host: '127.0.0.1', port: 1 } });
  assert.deepEqual(second?.metadata, { name: 'b', uid: '7', labels: { x: 'y' } });
  assert.equal(others.length, 0);
  assert.deepEqual(parseResources('', 'f.yaml'), []);
});

test('JSON is read too', () => {
  const text = JSON.stringify({ apiVersion: 'skupper.io/v2alpha1', kind: 'Site', metadata: { name: 'west' }, spec: {} }, null, 2);
  assert.equal(parseResources(text, 'f.json')[0]?.metadata.name, 'west');
});

test('settings of a Site that a host does not know are kept, like annotations', () => {
  const settings = { size: 'small', 'tls-prior-valid-revisions': '2', 'example.com/owner': 'ann' };
  const text = JSON.stringify({ apiVersion: 'skupper.io/v2alpha1', kind: 'Site', metadata: { name: 'west' }, spec: { settings } });
  assert.deepEqual(parseResources(text, 'f')[0]?.spec, { settings });
});

test('a Link may have 16 endpoints', () => {
  const text = documentOf('Link', `endpoints: [${Array(16).fill('{name: inter-router, host: a, port: 1}').join(', ')}]`);
  assert.equal(parseResources(text, 'f').length, 1);
});

test('a secret gives its files, from data and from stringData', () => {
  const text = `apiVersion: v1\nkind: Secret\nmetadata: {name: east}\ntype: kubernetes.io/tls\ndata: {ca.crt: "Y2E=", tls.crt: "Y3J0"}\nstringData: {tls.key: "schlüssel"}\n`;
  const [secret] = parseResources(text, 'f.yaml') as ResourceOf<'Secret'>[];
  assert.ok(secret);
  assert.deepEqual(
    ['ca.crt', 'tls.crt', 'tls.key', 'constructor'].map((name) => secretFile(secret, name)),
    ['ca', 'crt', 'schlüssel', undefined],
  );
  assert.deepEqual(parseResources(formatResources([secret]), 'again'), [secret]);
});

test('the code of a token never stands in a message', () => {
  const text = documentOf('AccessToken', 'url: https://a/b', 'code: 987654', 'ca: x');
  assert.ok(!thrownBy(() => parseResources(text, 'f')).message.includes('987654'));
});

test('resources are written in the same order whatever order they come in', () => {
  const resources = accepted.flatMap(([text], index) => parseResources(text.replace('name: a', `name: a${index}`), 'f'));
  fc.assert(
    fc.property(fc.shuffledSubarray([...resources], { minLength: resources.length }), (shuffled) => {
      assert.equal(formatResources(shuffled), formatResources(resources));
    }),
    { numRuns: 20 },
  );
});

test('an alias bomb, deep nesting, too many documents and too long a text are refused quickly', () => {
  const levels = Array.from({ length: 9 }, (_, level) => `l${level + 1}: &l${level + 1} [${Array(9).fill(`*l${level}`).join(', ')}]`);
  const bomb = ['l0: &l0 [x, x, x, x, x, x, x, x, x]', ...levels].join('\n');
  const hostile: readonly (readonly [string, RegExp])[] = [
    [bomb, /has more than 100 aliases/],
    ['a: &a [*a]\n', /nested deeper|refers to no anchor/],
    ['['.repeat(500_000), /nested deeper than 32 levels/],
    ['{a: '.repeat(200_000), /nested deeper than 32 levels/],
    ['- '.repeat(400_000), /nested deeper than 32 levels/],
    ['--- x\n'.repeat(1025), /has more than 1024 documents/],
    [`a: ${'x'.repeat(yamlLengthLimit)}`, /the limit is 1048576/],
    [Array.from({ length: 60_000 }, (_, index) => `k${index}: v`).join('\n'), /has more than 100000 values|is unknown|is required/],
  ];
  for (const [text, message] of hostile) {
    const started = performance.now();
    assert.match(thrownBy(() => parseResources(text, 'f')).message, message);
    assert.ok(performance.now() - started < 5000, `${text.slice(0, 20)} took ${performance.now() - started} ms`);
  }
});

test('limits themselves are allowed', () => {
  const nested = `${documentOf('Listener', ...listener)}status: ${'['.repeat(30)}${']'.repeat(30)}\n`;
  assert.equal(parseResources(nested, 'f').length, 1);
  const aliases = `${documentOf('Listener', ...listener)}status: {a: &a x, b: [${Array(100).fill('*a').join(', ')}]}\n`;
  assert.equal(parseResources(aliases, 'f').length, 1);
  const many = Array.from({ length: 1024 }, (_, index) => documentOf('Listener', ...listener).replace('name: a', `name: a${index}`));
  assert.equal(parseResources(many.join('---\n'), 'f').length, 1024);
  const comment = documentOf('Listener', ...listener);
  assert.equal(parseResources(`${comment}#${'x'.repeat(yamlLengthLimit - comment.length - 1)}`, 'f').length, 1);
});

test('no text makes the parser throw anything but an InputError', () => {
  const piece = fc.constantFrom(
    'apiVersion: skupper.io/v2alpha1\n',
    'kind: Site\n',
    'kind: Link\n',
    'metadata:\n',
    '  name: a\n',
    'spec:\n',
    '---\n',
    '  ',
    '- ',
    '&a ',
    '*a',
    '!!set ',
    '<<: ',
    '? ',
    ': ',
    '{',
    '}',
    '[',
    ']',
    '"',
    "'",
    '|\n',
    '>-\n',
    '\t',
    '#',
    '%YAML 1.1\n',
    '__proto__: ',
    'x',
    '\n',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 25 }), (pieces) => {
      try {
        const resources: readonly Resource[] = parseResources(pieces.join(''), 'f');
        assert.deepEqual(parseResources(formatResources(resources), 'again').length, resources.length);
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
      }
    }),
    { numRuns: 2000 },
  );
});

test('addresses in the setting multicast of a Site have no patterns', () => {
  const text = (multicast: string): string =>
    `apiVersion: skupper.io/v2alpha1\nkind: Site\nmetadata: {name: west}\nspec: {settings: {multicast: "${multicast}"}}\n`;
  assert.equal(parseResources(text('news, alerts/fire'), 'site.yaml').length, 1);
  for (const multicast of ['news.*', 'a b', 'a,,b', 'a#']) assert.throws(() => parseResources(text(multicast), 'site.yaml'), /multicast/);
});
