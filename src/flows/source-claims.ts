import { isFlow } from './collected-source.ts';
import type { HeardSource } from './collected-source.ts';
import { isFlowIdentity } from './flow-addresses.ts';
import { Attribute, RecordType } from './record-types.ts';
import type { AttributeValue, RecordUpdate } from './record.ts';
import { plainRouterId } from './site-directory.ts';

/**
 * Ids of sources are short, and nothing proves whose they are: what is known is the router that a message comes from. So a source is what one
 * router calls by an id. Another router that uses the same id has a source of its own, and its id and identities are told apart by the router:
 * `<id>@<router>`.
 */
export function claimedId(id: string, origin: string): string {
  return `${id}@${origin}`;
}

/** References to records of another router, with the router that they are said to be of. */
const references = [
  [Attribute.connector, Attribute.destRouter],
  [Attribute.peer, Attribute.peerRouter],
] as const;

function sourceIdOf(identity: string): string {
  return `${identity.slice(0, identity.indexOf(':'))}:0`;
}

/**
 * Whether a source may tell this: records of its own, and of its own router. `isRouter` knows the routers of other sources: their ids are
 * those of their sites.
 */
export function mayTell({ toldId, origin }: HeardSource, update: RecordUpdate, isRouter: (id: string) => boolean): boolean {
  if (origin === undefined) return true;
  const identity = update.get(Attribute.identity) as string;
  if (isFlowIdentity(identity) && sourceIdOf(identity) !== toldId) return false;
  switch (update.get(Attribute.recordType)) {
    case RecordType.router: {
      const name = update.get(Attribute.name);
      return name === undefined || (typeof name === 'string' && plainRouterId(name) === origin);
    }
    case RecordType.site:
      return identity === origin || !isRouter(identity);
    default:
      return true;
  }
}

/** An update with the identities of a source that shares its id with another one. */
export function withOwnIdentities({ toldId, origin = '' }: HeardSource, update: RecordUpdate): RecordUpdate {
  const told = new Map<number, AttributeValue>();
  for (const [attribute, value] of update) {
    const isOwn = typeof value === 'string' && isFlowIdentity(value) && sourceIdOf(value) === toldId;
    told.set(attribute, isOwn ? claimedId(value, origin) : value);
  }
  return told;
}

/** An update whose references lead to the router that they are said to be of, where several call a source the same. */
export function withClaimedReferences(
  update: RecordUpdate,
  known: RecordUpdate | undefined,
  isClaimed: (id: string) => boolean,
): RecordUpdate {
  const type = update.get(Attribute.recordType) as number;
  if (!isFlow(type) && type !== RecordType.link) return update;
  let told: Map<number, AttributeValue> | undefined;
  for (const [reference, router] of references) {
    const identity = update.get(reference);
    const routerId = update.get(router) ?? known?.get(router);
    if (typeof identity !== 'string' || typeof routerId !== 'string' || !isFlowIdentity(identity)) continue;
    if (!isClaimed(claimedId(sourceIdOf(identity), routerId))) continue;
    told ??= new Map(update);
    told.set(reference, claimedId(identity, routerId));
  }
  return told ?? update;
}
