import { amqpClientTarget } from './amqp-client-target.ts';
import { amqpTargets } from './amqp-targets.ts';
import { controlPlaneTarget } from './control-plane-target.ts';
import { dnsTarget } from './dns-target.ts';
import { eventTarget } from './event-target.ts';
import { flowTarget } from './flow-target.ts';
import { http1Targets } from './http1-targets.ts';
import { http2Targets } from './http2-targets.ts';
import { httpRecordTargets } from './http-record-targets.ts';
import { signedRecordsTarget } from './signed-records-target.ts';
import { routerTargets } from './router-targets.ts';
import type { FuzzTarget } from './target.ts';
import { textTargets } from './text-targets.ts';
import { trustTargets } from './trust-targets.ts';

/** Every decoder of input from outside has a target here. */
export const targets: readonly FuzzTarget[] = [
  ...amqpTargets,
  amqpClientTarget,
  ...routerTargets,
  controlPlaneTarget,
  signedRecordsTarget,
  ...trustTargets,
  ...textTargets,
  ...http1Targets,
  ...http2Targets,
  ...httpRecordTargets,
  eventTarget,
  dnsTarget,
  flowTarget,
];
