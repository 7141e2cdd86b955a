/**
 * Security-relevant events: who was let in, who was refused, what changed. They are kept apart from the log, so that its level and its rotation
 * do not decide what can be found out later.
 */

export const auditEventNames = [
  'tokenIssued',
  'tokenRedeemed',
  'tokenRefused',
  'tokenRevoked',
  'siteRevoked',
  'linkRefused',
  'identityConflict',
  'fenced',
  'recordRefused',
  'grantViolation',
  'deliveryRefused',
  'quarantined',
  'configurationChanged',
  'unsignedRefused',
] as const;

export type AuditEventName = (typeof auditEventNames)[number];

/** Plain data that a line of JSON can hold. Never a secret: no token codes, no keys. */
export type AuditFields = Readonly<Record<string, string | number | boolean | null | undefined | readonly string[]>>;

export interface AuditEvent {
  readonly event: AuditEventName;
  readonly fields: AuditFields;
}

/** Where events go. `record` never throws and never waits; the time of an event is that of the call. */
export interface Audit {
  record(event: AuditEvent): void;
}

/** Drops everything. For tests, and for routers without a place for such a record. */
export const silentAudit: Audit = { record(): void {} };
