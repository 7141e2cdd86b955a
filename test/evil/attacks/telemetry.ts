import { beaconMessage, heartbeatMessage, recordMessage } from '../../../src/flows/flow-messages.ts';
import type { OutgoingFlowMessage } from '../../../src/flows/flow-messages.ts';
import { Attribute, RecordType } from '../../../src/flows/record-types.ts';
import type { AttributeValue, RecordUpdate } from '../../../src/flows/record.ts';
import { nodeName } from '../../../src/routing/control-address.ts';
import type { Attack } from '../attack.ts';
import type { EvilRouter } from '../evil-router.ts';

/** Longer than the time from one beacon of a source to the next. */
const rounds = 60;
const pauseMs = 200;
/** Records of a source are numbered: whose identities are guessed. */
const guesses = 40;

function record(type: number, identity: string, attributes: readonly (readonly [number, AttributeValue])[]): RecordUpdate {
  return new Map<number, AttributeValue>([[Attribute.recordType, type], [Attribute.identity, identity], ...attributes]);
}

/** As the source: another site and router, a server of its own, and what it makes up of requests. */
function lies(source: string, { victim, id }: EvilRouter): RecordUpdate[] {
  const prefix = source.slice(0, source.indexOf(':') + 1);
  const named: readonly (readonly [number, AttributeValue])[] = [[Attribute.name, 'forged']];
  const told = [record(RecordType.site, victim, named), record(RecordType.router, source, [[Attribute.name, nodeName(victim)]])];
  for (let number = 1; number <= guesses; number++) told.push(record(RecordType.connector, `${prefix}${number}`, named));
  told.push(record(RecordType.router, source, [[Attribute.name, nodeName(id)]]));
  return told;
}

export const flowRecords: Attack = {
  name: 'flow-records',
  tries: "records in another router's name, the addresses at which it is told what belongs to its own, and additions to its requests",
  expected: 'no effect',
  signs: false,
  *run(evil) {
    const known = evil.flowSources;
    const sources = known.length > 0 ? known : ['abcde:0'];
    for (const source of sources) for (const prefix of ['sfe.', 'vfcr.']) evil.offer(prefix + source);
    for (let round = 0; round < rounds; round++) {
      for (const source of [...sources, 'evil1:0']) {
        const prefix = source.slice(0, source.indexOf(':') + 1);
        const additions = Array.from({ length: guesses }, (_, number) =>
          record(RecordType.transportFlow, `${prefix}${number}`, [
            [Attribute.destServer, 'forged'],
            [Attribute.destRouter, evil.neighbour],
          ]),
        );
        const messages: OutgoingFlowMessage[] = [
          beaconMessage(round, { id: source, type: 'ROUTER' }),
          heartbeatMessage(round, source, 1),
          recordMessage(round, `mc/sfe.${source}`, lies(source, evil)),
          recordMessage(round, `vfcr.${source}`, additions),
        ];
        for (const { to, octets } of messages) {
          evil.deliver({ to, message: octets });
          evil.deliver({ to, message: octets, ingress: nodeName(evil.victim), trace: [nodeName(evil.victim), nodeName(evil.id)] });
        }
        for (const id of evil.others)
          evil.deliver({ to: `amqp:/_topo/0/${id}/vfcr.${source}`, message: recordMessage(0, '', additions).octets });
      }
      yield pauseMs;
    }
  },
};
