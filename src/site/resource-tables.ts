import { address, host, logLevels } from '../management/attribute-types.ts';
import { logModules } from '../management/entity-tables.ts';
import {
  choice,
  flag,
  integer,
  list,
  mapOf,
  mismatch,
  optional,
  record,
  required,
  SchemaProblem,
  text,
  textMap,
  type Schema,
  type UnsupportedKey,
} from '../management/schema.ts';
import { duration } from './duration.ts';
import type {
  AccessGrantSpec,
  AccessTokenSpec,
  ConnectorSpec,
  Kind,
  LinkEndpoint,
  LinkSpec,
  ListenerSpec,
  MultiKeyListenerSpec,
  MultiKeyStrategy,
  PriorityStrategy,
  RouterAccessRole,
  RouterAccessSpec,
  SiteSpec,
  Specs,
  WeightedStrategy,
} from './resource-types.ts';

/**
 * What the spec of each kind may say, for sites on a host. Keys that only Kubernetes can serve are refused with what to
 * write instead; keys that are not implemented yet are refused with that reason.
 */

const needsKubernetes = 'it needs Kubernetes';

/** A key of Skupper's that means something on Kubernetes only, but does no harm when it is off. */
const kubernetesOnly: UnsupportedKey = { reason: `${needsKubernetes}; leave it out on a host`, accept: [false] };

const serviceTls: UnsupportedKey = {
  reason: 'TLS towards clients and servers of services is not implemented yet',
  remedy: 'let the application speak TLS itself; between sites traffic is always encrypted',
};

const settings = optional(textMap(), 'settings by name');
const routingKey = required(address(), 'routing key: what listeners and connectors meet under');
const servicePort = integer(1, 65535);
const serviceType = optional(choice(['tcp'], { udp: 'UDP services are not implemented yet' }), 'protocol of the service');
const observer = optional(choice(['auto', 'none', 'http1', 'http2']), 'protocol observer; feeds metrics only');
const cost = optional(integer(1, 9999), 'cost of the link for routing; 1 when absent');
const certificateName = text({
  maximumLength: 253,
  pattern: /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/,
  patternMeaning: 'the name of a Secret or certificate folder',
});
const pem = text({ pattern: /^\s*-----BEGIN [A-Z0-9 ]+-----/, patternMeaning: 'a certificate in PEM' });

const clusterAccess = "it needs Kubernetes; on a host use 'default'";

const siteSchema: Schema<SiteSpec> = record<SiteSpec>(
  {
    linkAccess: optional(
      choice(['none', 'default', 'local'], {
        route: clusterAccess,
        loadbalancer: clusterAccess,
        nodeport: clusterAccess,
        ingress: clusterAccess,
        'ingress-nginx': clusterAccess,
        'contour-http-proxy': clusterAccess,
        gateway: clusterAccess,
      }),
      'whether other sites may link to this one',
    ),
    serviceAccount: optional(text(), 'Kubernetes service account; no effect on a host'),
    defaultIssuer: optional(text(), 'name of the certificate authority; a host has one'),
    settings: optional(siteSettings(), 'settings by name'),
  },
  {
    unsupported: {
      edge: { reason: 'edge sites are not implemented yet', accept: [false] },
      ha: { reason: `${needsKubernetes}; on a host run two sites`, accept: [false] },
    },
  },
);

const listenerSchema: Schema<ListenerSpec> = record<ListenerSpec>(
  {
    routingKey,
    host: required(host(false), 'local address to listen on, such as 127.0.0.1 or 0.0.0.0'),
    port: required(servicePort, 'local port to listen on'),
    type: serviceType,
    observer,
    settings,
  },
  { unsupported: { tlsCredentials: serviceTls, exposePodsByName: kubernetesOnly } },
);

const connectorSchema: Schema<ConnectorSpec> = record<ConnectorSpec>(
  {
    routingKey,
    host: required(host(false), 'where the server is; localhost for this host'),
    port: required(servicePort, 'port of the server'),
    type: serviceType,
    settings,
  },
  {
    ignored: { verifyHostname: 'it speaks of TLS to the server only' },
    unsupported: {
      selector: { reason: `${needsKubernetes}; on a host use 'host' to say where the server is`, remedy: 'write host: localhost' },
      tlsCredentials: serviceTls,
      useClientCert: { ...serviceTls, accept: [false] },
      exposePodsByName: kubernetesOnly,
      includeNotReadyPods: kubernetesOnly,
    },
  },
);

/** Weights are shares of the whole; 65535 leaves room for every ratio in one 32-bit sum of 256 keys. */
const weight = integer(0, 65535);

const strategySchema: Schema<MultiKeyStrategy> = checked(
  record<MultiKeyStrategy>({
    priority: optional(
      record<PriorityStrategy>({ routingKeys: required(list(address(), 1), 'routing keys, the preferred one first') }),
      'all connections go to the first key that is reachable',
    ),
    weighted: optional(
      record<WeightedStrategy>({ routingKeys: required(routingKeyMap(), 'weights by routing key') }),
      'connections are shared by weight among reachable keys',
    ),
  }),
  (strategy, path) => {
    if ((strategy.priority === undefined) === (strategy.weighted === undefined)) {
      throw new SchemaProblem('invalid', path, "needs exactly one of 'priority' and 'weighted'");
    }
    const keys = strategy.priority?.routingKeys ?? [];
    const twice = keys.findIndex((key, index) => keys.indexOf(key) !== index);
    if (twice !== -1) throw new SchemaProblem('invalid', [...path, 'priority', 'routingKeys', twice], `'${keys[twice]}' stands twice`);
  },
);

const multiKeyListenerSchema: Schema<MultiKeyListenerSpec> = record<MultiKeyListenerSpec>(
  {
    host: required(host(false), 'local address to listen on, such as 127.0.0.1 or 0.0.0.0'),
    port: required(servicePort, 'local port to listen on'),
    strategy: required(strategySchema, 'how to choose among routing keys'),
    observer,
    settings,
  },
  { unsupported: { tlsCredentials: serviceTls, requireClientCert: { ...serviceTls, accept: [false] } } },
);

const endpointRole = choice(['inter-router', 'edge']);

const endpointSchema: Schema<LinkEndpoint> = record<LinkEndpoint>({
  name: required(endpointRole, 'what the endpoint is for'),
  host: required(host(false), 'where the other site accepts links'),
  port: required(portText(), 'port where the other site accepts links'),
  group: optional(text({ maximumLength: 253 }), 'endpoints of one group lead to the same router'),
});

const linkSchema: Schema<LinkSpec> = checked(
  record<LinkSpec>({
    endpoints: required(list(endpointSchema, 1), 'where the other site accepts links'),
    tlsCredentials: optional(certificateName, 'certificates to use'),
    cost,
    settings,
  }),
  (link, path) => {
    if (!link.endpoints.some(({ name }) => name === 'inter-router')) {
      throw new SchemaProblem(
        'unsupported',
        [...path, 'endpoints'],
        "has no 'inter-router' endpoint, and edge sites are not implemented yet",
      );
    }
    if (link.settings !== undefined && Object.hasOwn(link.settings, 'proxy-configuration')) {
      throw new SchemaProblem(
        'unsupported',
        [...path, 'settings', 'proxy-configuration'],
        'links through HTTP proxies are not implemented yet',
      );
    }
  },
);

const grantSchema: Schema<AccessGrantSpec> = record<AccessGrantSpec>({
  redemptionsAllowed: optional(integer(1, 10_000), 'how often the token can be redeemed; 1 when absent'),
  expirationWindow: optional(duration(), 'how long the token can be redeemed; 15m when absent'),
  code: optional(text({ maximumLength: 1024, secret: true }), 'the secret; made by the site when absent'),
  issuer: optional(text(), 'certificate authority; a host has one'),
  settings,
});

const tokenSchema: Schema<AccessTokenSpec> = record<AccessTokenSpec>({
  url: required(
    text({ maximumLength: 2048, pattern: /^https:\/\/[^\s/]+\/\S+$/, patternMeaning: 'an https:// address' }),
    'where to redeem',
  ),
  code: required(text({ maximumLength: 1024, secret: true }), 'the secret'),
  ca: required(pem, 'certificate of the network that the issuer belongs to'),
  linkCost: cost,
  settings,
});

const routerAccessSchema: Schema<RouterAccessSpec> = checked(
  record<RouterAccessSpec>({
    roles: required(
      list(
        record<RouterAccessRole>({
          name: required(endpointRole, 'who may connect'),
          port: optional(integer(0, 65535), 'port to listen on; 55671 when absent, 0 = any free one'),
        }),
        1,
      ),
      'who may connect, and where',
    ),
    tlsCredentials: required(certificateName, 'certificates to show'),
    generateTlsCredentials: optional(flag(), 'whether the site makes the certificates'),
    issuer: optional(text(), 'certificate authority; a host has one'),
    accessType: optional(
      choice(['local'], {
        route: clusterAccess,
        loadbalancer: clusterAccess,
        nodeport: clusterAccess,
        ingress: clusterAccess,
        'ingress-nginx': clusterAccess,
        'contour-http-proxy': clusterAccess,
        gateway: clusterAccess,
      }),
      'local = only from this host',
    ),
    bindHost: optional(host(false), 'local address to listen on; all when absent'),
    subjectAlternativeNames: optional(list(host(false)), 'names by which other sites reach this one'),
    settings,
  }),
  (access, path) => {
    if (access.roles.filter(({ name }) => name === 'inter-router').length !== 1) {
      throw new SchemaProblem('invalid', [...path, 'roles'], "needs exactly one 'inter-router' role");
    }
  },
);

/** The schema of the spec of each kind but Secret, whose fields stand beside `metadata`. */
export const specSchemas: { readonly [K in Exclude<Kind, 'Secret'>]: Schema<Specs[K]> } = {
  Site: siteSchema,
  RouterAccess: routerAccessSchema,
  Link: linkSchema,
  Listener: listenerSchema,
  MultiKeyListener: multiKeyListenerSchema,
  Connector: connectorSchema,
  AccessGrant: grantSchema,
  AccessToken: tokenSchema,
};

/** Skupper's kinds that only a cluster can serve. */
export const clusterKinds: Readonly<Record<string, string>> = {
  AttachedConnector: `${needsKubernetes}; on a host use a Connector with 'host'`,
  AttachedConnectorBinding: `${needsKubernetes}; on a host use a Connector with 'host'`,
  SecuredAccess: `${needsKubernetes}; on a host use RouterAccess`,
  Certificate: 'sites on a host make their own certificates',
};

export interface LogSetting {
  readonly module: string;
  readonly enable: string;
}

/** Reads Site's setting `router-logging`: levels for everything or per module, such as `info+,ROUTER_LS:debug+`. Throws SchemaProblem. */
export function readLogging(value: string, path: readonly (string | number)[]): readonly LogSetting[] {
  return value.split(',').map((item) => {
    const [first = '', second] = item.trim().split(':');
    const module = choice(logModules).read(second === undefined ? 'DEFAULT' : first, path);
    return { module, enable: logLevels().read(second ?? first, path) };
  });
}

function siteSettings(): Schema<Readonly<Record<string, string>>> {
  return checked(textMap(), (values, path) => {
    const logging = Object.hasOwn(values, 'router-logging') ? values['router-logging'] : undefined;
    if (logging === undefined) return;
    const modules = readLogging(logging, [...path, 'router-logging']).map(({ module }) => module);
    const twice = modules.find((module, index) => modules.indexOf(module) !== index);
    if (twice !== undefined) throw new SchemaProblem('invalid', [...path, 'router-logging'], `names ${twice} twice`);
  });
}

/** `schema` and a check of what its parts say together. */
function checked<T>(schema: Schema<T>, check: (value: T, path: readonly (string | number)[]) => void): Schema<T> {
  return {
    type: schema.type,
    read(value, path): T {
      const read = schema.read(value, path);
      check(read, path);
      return read;
    },
  };
}

function routingKeyMap(): Schema<Readonly<Record<string, number>>> {
  return checked(mapOf(weight), (weights, path) => {
    const keys = Object.keys(weights);
    if (keys.length === 0) throw new SchemaProblem('invalid', path, 'needs at least 1 routing key');
    for (const key of keys) address().read(key, [...path, key]);
    if (Object.values(weights).every((value) => value === 0)) throw new SchemaProblem('invalid', path, 'needs a weight above 0');
  });
}

/** Skupper's Link has its port as text; a number is what people write. */
function portText(): Schema<string> {
  const type = 'port number from 1 to 65535';
  return {
    type,
    read(value, path): string {
      const digits = typeof value === 'string' && /^\d{1,5}$/.test(value) ? Number(value) : value;
      if (typeof digits !== 'number' || !Number.isInteger(digits) || digits < 1 || digits > 65535) throw mismatch(path, `a ${type}`, value);
      return String(digits);
    },
  };
}
