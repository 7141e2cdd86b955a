import type { AuditEvent } from '../base/audit.ts';
import type { RoutingEvent } from '../routing/events.ts';

/** The routing events that concern security, as the audit log has them; undefined for all others. */
export function auditedEvent(event: RoutingEvent): AuditEvent | undefined {
  switch (event.type) {
    case 'violation':
      return { event: 'recordRefused', fields: { router: event.routerId, reason: event.reason } };
    case 'spoofRefused':
      return {
        event: 'recordRefused',
        fields: { router: event.routerId, reason: `unsigned ${event.opcode} in the name of a router that signs` },
      };
    case 'credentialRefused':
      return { event: 'recordRefused', fields: { router: event.routerId, reason: 'its credential does not hold any more' } };
    case 'grantViolation': {
      const { routerId: router, siteName: site, address, right } = event;
      return { event: 'grantViolation', fields: { router, site, address, right } };
    }
    case 'unsignedRefused':
      return { event: 'unsignedRefused', fields: { router: event.routerId, neighbour: event.isNeighbour } };
    case 'identityConflict':
      return { event: 'identityConflict', fields: { router: event.routerId, nonce: event.nonce, otherNonce: event.otherNonce } };
    case 'duplicateRouterId':
      return { event: 'identityConflict', fields: { router: event.routerId, instance: event.instance } };
    case 'doubleRouter':
      return { event: 'identityConflict', fields: { router: event.routerId, instance: event.instance, otherInstance: event.other } };
    case 'fenced':
      return { event: 'fenced', fields: { router: event.routerId, reason: event.reason } };
    default:
      return undefined;
  }
}
