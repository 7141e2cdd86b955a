import type { AmqpMapKey, AmqpValue } from '../../amqp/value.ts';
import type { InquiryFields } from '../inquiry/inquiry-message.ts';

/**
 * A skupper-router answers no pings, but questions to its management (AMQP Management WD, QUERY):
 *
 *     properties {operation: "QUERY", type: "org.amqp.management", name: "self", entityType: "io.skupper.router.router"}
 *     question   {attributeNames: ["id", "version"]}
 *     answer     {attributeNames: [...], results: [[...]]}
 */
export const managementName = '$management';

export const managementProperties: InquiryFields = new Map<AmqpMapKey, AmqpValue>([
  ['operation', 'QUERY'],
  ['type', 'org.amqp.management'],
  ['name', 'self'],
  ['entityType', 'io.skupper.router.router'],
]);

export const managementBody: InquiryFields = new Map<AmqpMapKey, AmqpValue>([['attributeNames', ['id', 'version']]]);

/** What it is, with its version if it says; undefined when it answers something else. */
export function readManagementVersion(body: InquiryFields): string | undefined {
  const names = body.get('attributeNames');
  const results = body.get('results');
  if (!Array.isArray(names) || !Array.isArray(results) || !Array.isArray(results[0])) return undefined;
  const version: unknown = results[0][names.indexOf('version')];
  return typeof version === 'string' && version.length <= 256 ? `skupper-router ${version}` : 'skupper-router';
}
