import type { Clock } from '../base/clock.ts';
import type { Forwarder } from '../forwarding/forwarder.ts';
import { InquiryAnswerer } from '../services/inquiry/inquiry-answerer.ts';
import { refusal, textField } from '../services/inquiry/inquiry-message.ts';
import { checkName, linkViewFields } from '../services/inquiry/link-view.ts';
import { serversName, triedServersFields } from '../services/inquiry/server-view.ts';
import { pingAnswerer, pingName } from '../services/ping/ping-answer.ts';
import { maxAddressBytes } from '../services/http/server-view-codec.ts';
import type { Router } from './router.ts';
import type { ServerTrial } from './server-trial.ts';

/** A check of one neighbour now and then, by hand or in a loop. */
const checkLimits = { perSecond: 2, burst: 10, allPerSecond: 50, allBurst: 100 };
/** Each costs a connection to every server of an address. */
const serverLimits = { perSecond: 1, burst: 10, allPerSecond: 10, allBurst: 50 };

export interface InquiriesContext {
  readonly router: Pick<Router, 'links' | 'forwarder' | 'members'>;
  readonly forwarder: Forwarder;
  readonly clock: Clock;
  readonly version: string;
  readonly trial: ServerTrial;
  /** Something was sent. */
  readonly touch: () => void;
}

/** What this router tells others that ask it. */
export function answerInquiries(context: InquiriesContext): void {
  const { forwarder, clock, version } = context;
  const nowMs = (): number => clock.nowMs();
  forwarder.addLocal(pingName, pingAnswerer(forwarder, version, nowMs));
  forwarder.addLocal(
    checkName,
    new InquiryAnswerer({
      forwarder,
      limits: checkLimits,
      nowMs,
      answer: ({ asker, trace }, reply) => answerCheck(context, asker, trace, reply),
    }),
  );
  forwarder.addLocal(
    serversName,
    new InquiryAnswerer({
      forwarder,
      limits: serverLimits,
      nowMs,
      answer: ({ asker, body }, reply) => {
        const address = textField(body, 'address', maxAddressBytes);
        if (address === undefined || !forwarder.table.mayConsume(asker, address)) {
          reply(refusal('the site that asks may not use the address'));
          return;
        }
        void context.trial.tryServers(address).then((servers) => {
          reply(triedServersFields(servers));
          context.touch();
        });
      },
    }),
  );
}

/** Cost of the link by which routing reaches a neighbour; undefined while it uses none. */
export function routedCost({ links, forwarder }: Pick<Router, 'links' | 'forwarder'>, routerId: string): number | undefined {
  const { neighbours } = forwarder.table;
  return links.find(({ neighbour }) => neighbours.get(neighbour.linkNumber) === routerId)?.neighbour.cost;
}

/** Only a neighbour hears anything, about its own links, and only by one of them. */
function answerCheck(
  { router, clock, version }: InquiriesContext,
  asker: string,
  trace: readonly string[],
  reply: (body: ReturnType<typeof linkViewFields>) => void,
): void {
  const links = router.links.filter(({ neighbour }) => neighbour.isUp && neighbour.routerId === asker);
  if (links.length === 0 || trace.length !== 1) {
    reply(refusal('only a neighbour is told'));
    return;
  }
  const nowMs = clock.nowMs();
  const certified = links.some(({ peer }) => peer.routerId === asker);
  reply(
    linkViewFields({
      version,
      wallMs: clock.wallMs(),
      routedCost: routedCost(router, asker),
      trust: router.members.has(asker) ? 'signed' : certified ? 'certified' : 'unsigned',
      links: links.map(({ neighbour, openedMs }) => ({
        cost: neighbour.cost,
        direction: neighbour.dialled ? 'out' : 'in',
        uptimeMs: Math.max(0, nowMs - openedMs),
      })),
    }),
  );
}
