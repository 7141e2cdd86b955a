import { ProtocolViolation, WeatherError } from '../../src/base/errors.ts';
import { LineSplitter } from '../../src/management/line-splitter.ts';
import { formatResponse, parseRequest, parseResponse } from '../../src/management/management-protocol.ts';
import { formatRouterConfiguration, parseRouterConfiguration } from '../../src/management/router-configuration.ts';
import { formatAccessToken, parseAccessToken } from '../../src/pki/access-token.ts';
import { parseAdmission, parseRedemptionRequest, parseRenewalRequest } from '../../src/pki/redemption-protocol.ts';
import { formatResources, parseResources } from '../../src/site/resources.ts';
import { mutate } from './mutate.ts';
import type { SeededRandom } from '../../src/sim/seeded-random.ts';
import type { FuzzTarget } from './target.ts';

const maxInputBytes = 16_384;

const configurations = [
  `[["router",{"id":"alpha","mode":"interior","helloIntervalSeconds":1}],["sslProfile",{"name":"p","caCertFile":"ca","certFile":"c","privateKeyFile":"k"}],
    ["listener",{"name":"l","host":"::1","port":55671,"role":"inter-router","sslProfile":"p","cost":3}],
    ["connector",{"name":"c","host":"h","port":"1","role":"inter-router","failoverUrls":"a:1,b:2"}]]`,
  `[["router",{"id":"b"}],["address",{"prefix":"mc","distribution":"multicast"}],["tcpListener",{"name":"t","address":"web","host":"","port":0}],
    ["tcpConnector",{"name":"u","address":"web","host":"127.0.0.1","port":80}],["log",{"module":"DEFAULT","enable":"info+"}]]`,
];
const resources = [
  `apiVersion: skupper.io/v2alpha1\nkind: Listener\nmetadata:\n  name: web\nspec:\n  routingKey: web\n  host: web\n  port: 8080\n`,
  `apiVersion: skupper.io/v2alpha1\nkind: Site\nmetadata: {name: east}\nspec: {linkAccess: default}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: eA==}\n`,
  `&a [*a, !!str x, {? y : z}, "\\u0000", |2\n   t\n]`,
];
const requests = [
  `{"id":1,"operation":"QUERY","type":"router.node","attributes":{"offset":0,"count":10}}\n{"id":"x","operation":"CREATE","type":"tcpListener","name":"n","attributes":{"address":"a","port":"8080"}}\r\n`,
  `{"id":7,"statusCode":200,"statusDescription":"OK","body":{"results":[{"a":[1,2,{"b":null}]}],"total":1}}\n`,
];
const exchanges = [
  `{"code":"c","request":"-----BEGIN CERTIFICATE REQUEST-----\\nMIIB\\n-----END CERTIFICATE REQUEST-----\\n"}`,
  `{"certificate":"-----BEGIN CERTIFICATE-----","chain":["x"],"networkId":"0123456789abcdef","hosts":["a","::1"]}`,
];
const token = formatAccessToken({
  name: 'east',
  host: 'example.net',
  port: 55671,
  grantId: 'g',
  code: 'c'.repeat(43),
  ca: '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n',
  linkCost: 1,
});

function mutated(seeds: readonly string[]): (random: SeededRandom) => Uint8Array {
  const encoded = seeds.map((text) => new Uint8Array(Buffer.from(text)));
  return (random) => mutate(random.pick(encoded), random.pick(encoded), random, maxInputBytes);
}

function tolerant<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof WeatherError || error instanceof ProtocolViolation) return undefined;
    throw error;
  }
}

function textOf(input: Uint8Array): string {
  return new TextDecoder().decode(input);
}

/** Decoders of text: management, configuration, resources, tokens, redemption. What is read must also be written and read again. */
export const textTargets: readonly FuzzTarget[] = [
  {
    name: 'management-lines',
    input: mutated(requests),
    run: (input) => {
      const splitter = new LineSplitter(4096);
      return tolerant(() => {
        const results: unknown[] = [];
        for (let at = 0; at < input.length; at += 100) {
          splitter.receive(input.subarray(at, at + 100));
          for (let line = splitter.nextLine(); line !== undefined; line = splitter.nextLine()) {
            const parsed = parseRequest(line);
            results.push(parsed.ok ? parsed.request : formatResponse(parsed.response), parseResponse(line));
          }
        }
        return results;
      });
    },
  },
  {
    name: 'router-configuration',
    input: mutated(configurations),
    run: (input) => {
      const configuration = tolerant(() => parseRouterConfiguration(textOf(input), 'fuzz'));
      if (configuration !== undefined) parseRouterConfiguration(formatRouterConfiguration(configuration), 'again');
      return configuration;
    },
  },
  {
    name: 'resources',
    input: mutated(resources),
    run: (input) => {
      const read = tolerant(() => parseResources(textOf(input), 'fuzz'));
      if (read !== undefined && read.length > 0) parseResources(formatResources(read), 'again');
      return read;
    },
  },
  {
    name: 'access-token',
    input: mutated([token, ...resources]),
    run: (input) => {
      const read = tolerant(() => parseAccessToken(textOf(input), 'fuzz'));
      if (read !== undefined) parseAccessToken(formatAccessToken(read), 'again');
      return read;
    },
  },
  {
    name: 'redemption',
    input: mutated(exchanges),
    run: (input) => [parseRedemptionRequest, parseRenewalRequest, parseAdmission].map((parse) => tolerant(() => parse(textOf(input)))),
  },
];
