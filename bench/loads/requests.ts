import { runWrk, wrkMissing } from './wrk.ts';
import type { WrkResult } from './wrk.ts';
import type { Aim, Load, Metric, Sample } from './load.ts';

const warmUpSeconds = 1;
/** From this many connections on the routers are the limit, not the round trip: the aims against HAProxy and for CPU start here. */
const saturatingConnections = 16;

const skupperRouter = (limit: number): Aim => ({ against: 'skupper-router', limit });
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
    { key: 'errors', title: 'errors', digits: 0, better: 'lower', aims: [] },
  ];
}

/** The sample of one wrk run, for `wrkMetrics`. */
export function wrkSample(result: WrkResult): Sample {
  const { userMicroseconds, systemMicroseconds } = result;
  const cpu =
    userMicroseconds === undefined || systemMicroseconds === undefined
      ? {}
      : { cpuMicroseconds: userMicroseconds + systemMicroseconds, userMicroseconds, systemMicroseconds };
  return { rate: result.requestsPerSecond, p50Ms: result.p50Ms, p99Ms: result.p99Ms, errors: result.errors, ...cpu };
}

/** Requests on kept connections: each connection sends the next request when the answer to the last is there. */
export function requests(connections: number): Load {
  const saturated = connections >= saturatingConnections;
  return {
    name: `requests-${connections}`,
    title: `HTTP requests, ${connections} kept connection${connections === 1 ? '' : 's'}, 128-byte body`,
    metrics: wrkMetrics('request', {
      rate: saturated ? [skupperRouter(1.5), haproxy(1)] : [skupperRouter(1.5)],
      latency: [skupperRouter(0.7)],
      cpu: saturated ? [skupperRouter(0.5), haproxy(1)] : [],
    }),
    fresh: false,
    needsRouters: false,
    missing: wrkMissing,
    warmUp: async (target, context) => {
      await runWrk(target, connections, [], { ...context, seconds: warmUpSeconds });
    },
    measure: async (target, context) => wrkSample(await runWrk(target, connections, [], context)),
  };
}
