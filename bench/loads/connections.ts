import { wrkMetrics, wrkSample } from './requests.ts';
import { runWrk, wrkMissing } from './wrk.ts';
import type { Load } from './load.ts';

const warmUpSeconds = 1;
/** Clients that connect, ask once and close, at the same time. */
const clients = 16;
const closeHeader = 'Connection: close';

/** New connections: connect, one request, one answer, close, connect again. */
export const connections: Load = {
  name: 'connections',
  title: `New connections, one request each, ${clients} at a time`,
  metrics: wrkMetrics('connection', { rate: [], latency: [], cpu: [] }),
  service: 'tcp',
  fresh: false,
  needsRouters: false,
  missing: wrkMissing,
  warmUp: async (target, context) => {
    await runWrk(target, 'tcp', clients, [closeHeader], { ...context, seconds: warmUpSeconds });
  },
  measure: async (target, context) => wrkSample(await runWrk(target, 'tcp', clients, [closeHeader], context)),
};
