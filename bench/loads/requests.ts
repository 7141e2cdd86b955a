import { runWrk, wrkMissing } from './wrk.ts';
import type { WrkResult } from './wrk.ts';
import type { Aim, Load, Metric, Sample } from './load.ts';

const warmUpSeconds = 2;
/** From this many connections on the routers are the limit, not the round trip: the aims against HAProxy and for CPU start here. */
const saturatingConnections = 16;
/** The aims for HTTP services are for this many. */
const aimedConnections = 64;

const skupperRouter = (limit: number): Aim => ({ against: 'skupper-router', limit });
const caravanTcp = (limit: number): Aim => ({ against: 'caravan-tcp', limit });
const haproxy = (limit: number): Aim => ({ against: 'haproxy', limit });

/** Columns of every load that wrk makes; `what` names one unit of work. */
export function wrkMetrics(what: string, aims: { rate: Aim[]; latency: Aim[]; cpu: Aim[] }): Metric[] {
  return [
    { key: 'rate', title: `${what}s/s`, digits: 0, better: 'higher', aims: aims.rate },
    { key: 'p50Ms', title: 'p50 ms', digits: 2, better: 'lower', aims: aims.latency },
    { key: 'p99Ms', title: 'p99 ms', digits: 2, better: 'lower', aims: [] },
    { key: 'cpuMicroseconds', title: `CPU µs/${what}`, digits: 1, better: 'lower', aims: aims.cpu },
    { key: 'userMicroseconds', title: 'user', digits: 1, better: 'lower', aims: [] },
    { key: 'systemMicroseconds', title: 'system', digits: 1, better: 'lower', aims: [] },
    { key: 'otherMicroseconds', title: 'elsewhere', digits: 1, better: 'lower', aims: [] },
    { key: 'idlePercent', title: 'idle %', digits: 0, better: 'lower', aims: [] },
    { key: 'errors', title: 'errors', digits: 0, better: 'lower', aims: [] },
  ];
}

/** The sample of one wrk run, for `wrkMetrics`. */
export function wrkSample(result: WrkResult): Sample {
  const { userMicroseconds, systemMicroseconds, otherMicroseconds, idleShare } = result;
  const cpu =
    userMicroseconds === undefined || systemMicroseconds === undefined
      ? {}
      : { cpuMicroseconds: userMicroseconds + systemMicroseconds, userMicroseconds, systemMicroseconds };
  return {
    rate: result.requestsPerSecond,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    errors: result.errors,
    otherMicroseconds,
    idlePercent: idleShare * 100,
    ...cpu,
  };
}

/** TCP: requests on kept connections; each connection sends the next request when the answer to the last is there. */
export function requests(connections: number): Load {
  const saturated = connections >= saturatingConnections;
  return {
    name: `requests-${connections}`,
    title: `TCP service: HTTP requests, ${connections} kept connection${connections === 1 ? '' : 's'}, 128-byte body`,
    metrics: wrkMetrics('request', {
      rate: saturated ? [skupperRouter(1.5), haproxy(1)] : [skupperRouter(1.5)],
      latency: [skupperRouter(0.7)],
      cpu: saturated ? [skupperRouter(0.5), haproxy(1)] : [],
    }),
    service: 'tcp',
    fresh: false,
    needsRouters: false,
    missing: wrkMissing,
    warmUp: async (target, context) => {
      await runWrk(target, 'tcp', connections, [], { ...context, seconds: warmUpSeconds });
    },
    measure: async (target, context) => wrkSample(await runWrk(target, 'tcp', connections, [], context)),
  };
}

/** HTTP/1.1: the same requests, each routed by itself. */
export function httpRequests(connections: number): Load {
  return {
    name: `http1-${connections}`,
    title: `HTTP/1.1 service: requests, ${connections} kept connection${connections === 1 ? '' : 's'}, 128-byte body`,
    metrics: wrkMetrics('request', {
      rate: connections === aimedConnections ? [caravanTcp(0.7), { against: 'nginx', limit: 1 }] : [],
      latency: [],
      cpu: [],
    }),
    service: 'http1',
    fresh: false,
    needsRouters: false,
    missing: wrkMissing,
    warmUp: async (target, context) => {
      await runWrk(target, 'http1', connections, [], { ...context, seconds: warmUpSeconds });
    },
    measure: async (target, context) => wrkSample(await runWrk(target, 'http1', connections, [], context)),
  };
}
