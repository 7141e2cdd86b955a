import { nodeName } from '../../../src/routing/control-address.ts';
import type { Attack } from '../attack.ts';

const pauseMs = 50;

export const management: Attack = {
  name: 'k6-management',
  tries: 'management requests to each router and to any, and guesses of the addresses to which answers go',
  expected: 'no effect',
  signs: false,
  *run(evil) {
    const replyTo = evil.ear();
    for (const id of evil.others) {
      for (const to of [`amqp:/_topo/0/${id}/$management`, `_topo/0/${id}/$management`, '$management', 'amqp:/_local/$management']) {
        evil.deliver({ to, replyTo });
        yield pauseMs;
      }
      for (let guess = 0; guess < 20; guess++)
        evil.deliver({ to: `amqp:/_topo/0/${id}/temp.${guess.toString(36).padStart(15, 'A')}`, replyTo });
      yield pauseMs;
    }
  },
};

export const beyondConsume: Attack = {
  name: 'beyond-consume',
  tries: 'messages to services that it may not send to, in its own name, in that of others, and in nobody’s',
  expected: 'no effect',
  signs: false,
  *run(evil) {
    const { service, victim, neighbour } = evil;
    const replyTo = evil.ear();
    for (let round = 0; round < 5; round++) {
      evil.deliver({ to: service, replyTo });
      evil.deliver({ to: `amqp:/${service}.`, replyTo });
      evil.deliver({ to: service, replyTo, ingress: null });
      evil.deliver({ to: service, replyTo, ingress: nodeName(victim), trace: [nodeName(victim), nodeName(evil.id)] });
      evil.deliver({ to: service, replyTo, ingress: nodeName(neighbour), trace: [nodeName(neighbour)] });
      evil.deliver({ to: service, replyTo, ingress: nodeName('ghost'), trace: [nodeName('ghost')] });
      evil.deliver({ to: service, replyTo, ingress: victim, trace: [] });
      evil.deliver({ to: service, replyTo, ingress: `x/${victim}`, trace: [] });
      yield pauseMs;
    }
  },
};

export const loops: Attack = {
  name: 'loops',
  tries: 'messages to itself and to routers that do not exist, with false traces, so that they go round',
  expected: 'no effect',
  signs: false,
  *run(evil) {
    const { victim } = evil;
    for (let round = 0; round < 20; round++) {
      evil.deliver({ to: `amqp:/_topo/0/${evil.id}/loop`, trace: [] });
      evil.deliver({ to: 'amqp:/_topo/0/ghost/loop', trace: [] });
      evil.deliver({ to: `amqp:/_topo/0/${victim}/loop`, trace: Array.from({ length: 100 }, (_, at) => nodeName(`r${at}`)) });
      evil.deliver({ to: `amqp:/_topo/0/${victim}/loop`, trace: [nodeName(victim)] });
      yield pauseMs;
    }
  },
};
