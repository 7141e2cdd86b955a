import type { RouterEntity } from '../management/entities.ts';
import { fastDetectionTimers } from '../routing/limits.ts';
import type { RoutingTimers } from '../routing/limits.ts';

/** The times of the routing protocol, as configured. */
export function routingTimers(router: RouterEntity): Partial<RoutingTimers> {
  return {
    helloIntervalMs: router.helloIntervalSeconds * 1000,
    helloMaxAgeMs: router.helloMaxAgeSeconds * 1000,
    ...(router.failureDetection === 'fast' ? fastDetectionTimers : {}),
    advertisementIntervalMs: router.raIntervalSeconds * 1000,
    advertisementFluxIntervalMs: router.raIntervalFluxSeconds * 1000,
    linkStateMaxAgeMs: router.remoteLsMaxAgeSeconds * 1000,
    unreachableHoldoffMs: router.unreachableHoldoffSeconds * 1000,
  };
}
