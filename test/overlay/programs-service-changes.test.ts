/** Services in all programs of the data path: which backend, for how long, and what a pod is told when there is none. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { flowDirection, translationState, type Translation } from '../../src/overlay/layout/translation.ts';
import { flowName } from '../../src/overlay/model/policy.ts';
import { ipProtocol } from '../../src/overlay/packet/ipv4.ts';
import { tcpFlag } from '../../src/overlay/packet/tcp.ts';
import { skipWithoutKernel } from '../../src/kernel/bpf/test-kernel.ts';
import { ProgramWorld, vni, type Outcome } from './program-world.ts';
import { clientPort, ends, fromRemote, reasonsOf, reversed, serviceCases } from './service-cases.ts';
import { echoFrame, errorFrame, frameOf, see, tcpFrame, udpFrame, type Between } from './service-packets.ts';
import { front, second, ServiceWorld, servicesOf } from './service-world.ts';

const skip = skipWithoutKernel();
const world = skip === false ? new ProgramWorld() : undefined;
after(() => world?.[Symbol.dispose]());

const fresh = (): ServiceWorld => new ServiceWorld(world!);
const seconds = 1_000_000_000n;

for (const at of serviceCases) {
  const { agent, client, vip, far, near, toService, toFar } = at;
  const secondVip = at.isIpv4 ? second.ipv4 : second.ipv6;
  const onlyFar = servicesOf({ at: vip, backends: [far] });
  const onlyNear = servicesOf({ at: vip, backends: [near], generation: 2 });
  const nobody = servicesOf({ at: vip, backends: [], generation: 3 });
  /** Where a request goes: another host has `far`, this one `near`. */
  const destinationOf = (outcome: Outcome): Uint8Array =>
    reasonsOf(outcome).includes('delivered') ? at.delivered(outcome).destination : at.sent(outcome).destination;
  const names = (flow: Between, protocol: number): { forward: string; answers: string } => ({
    forward: flowName({ ...flow, vni, protocol, direction: flowDirection.forward }),
    answers: flowName({ ...reversed(toFar), destinationPort: flow.sourcePort, vni, protocol, direction: flowDirection.answers }),
  });
  const aged = (services: ServiceWorld, byNs: bigint): void => {
    const older = ([name, kept]: [string, Translation]): [string, Translation] => [name, { ...kept, usedNs: kept.usedNs - byNs }];
    services.translations = new Map([...services.translations].map(older));
  };

  test(`${at.name}: with affinity all flows of a client have one backend`, { skip }, () => {
    const affinity = servicesOf({ at: vip, backends: [far, near], affinity: true });
    const backends = new Set<string>();
    for (let sourcePort = 40_000; sourcePort < 40_010; sourcePort++)
      for (const frame of [tcpFrame({ ...toService, sourcePort }), udpFrame({ ...toService, sourcePort })])
        backends.add(String(destinationOf(fresh().run(agent, frame, affinity))));
    assert.equal(backends.size, 1);
  });

  test(`${at.name}: a flow whose translation was forgotten finds the same backend`, { skip }, () => {
    const both = servicesOf({ at: vip, backends: [far, near] });
    for (const protocol of [ipProtocol.tcp, ipProtocol.udp]) {
      const frame = protocol === ipProtocol.tcp ? tcpFrame(toService, tcpFlag.ack) : udpFrame(toService);
      const before = destinationOf(fresh().run(agent, frame, both));
      assert.deepEqual(destinationOf(fresh().run(agent, frame, both)), before);
    }
    // Either half may be forgotten.
    const services = fresh();
    services.run(agent, tcpFrame(toService), onlyFar);
    const { forward, answers } = names(toService, ipProtocol.tcp);
    for (const lost of [forward, answers]) {
      services.translations = new Map([...services.translations].filter(([name]) => name !== lost));
      services.run(agent, tcpFrame(toService, tcpFlag.ack), onlyFar);
      assert.deepEqual([...services.translations.keys()].sort(), [forward, answers].sort());
    }
  });

  test(`${at.name}: UDP and echoes leave a backend that is gone at once`, { skip }, () => {
    const services = fresh();
    const echo = echoFrame({ source: client, destination: vip }, 5);
    assert.deepEqual(destinationOf(services.run(agent, udpFrame(toService), onlyFar)), far);
    assert.deepEqual(destinationOf(services.run(agent, echo, onlyFar)), far);
    assert.deepEqual(destinationOf(services.run(agent, udpFrame(toService), onlyNear)), near);
    assert.deepEqual(destinationOf(services.run(agent, echo, onlyNear)), near);
  });

  test(`${at.name}: a TCP connection stays with a backend that drains, and new ones do not go there`, { skip }, () => {
    const services = fresh();
    const draining = servicesOf({ at: vip, backends: [near], draining: [far], generation: 2 });
    services.run(agent, tcpFrame(toService), onlyFar);
    assert.deepEqual(destinationOf(services.run(agent, tcpFrame(toService, tcpFlag.ack), draining)), far);
    assert.deepEqual(destinationOf(services.run(agent, tcpFrame({ ...toService, sourcePort: 41_000 }), draining)), near);
    services.run(agent, udpFrame(toService), onlyFar);
    assert.deepEqual(destinationOf(services.run(agent, udpFrame(toService), draining)), near, 'UDP goes');
  });

  test(`${at.name}: a SYN that is sent again does not go to a backend that drains, one to a ready backend does`, { skip }, () => {
    const draining = servicesOf({ at: vip, backends: [near], draining: [far], generation: 2 });
    const services = fresh();
    services.run(agent, tcpFrame(toService), onlyFar);
    assert.deepEqual(destinationOf(services.run(agent, tcpFrame(toService), onlyFar)), far);
    assert.deepEqual(destinationOf(services.run(agent, tcpFrame(toService), draining)), near);
    assert.equal(
      services.translations.has(names(toService, ipProtocol.tcp).answers),
      false,
      'what the other one answers is not for the client',
    );
    assert.deepEqual(destinationOf(services.run(agent, tcpFrame(toService, tcpFlag.ack), draining)), near);
    // Also of a connection that was there when the backend began to drain: its client has begun anew.
    const known = fresh();
    known.run(agent, tcpFrame(toService), onlyFar);
    assert.deepEqual(destinationOf(known.run(agent, tcpFrame(toService, tcpFlag.ack), draining)), far);
    assert.deepEqual(destinationOf(known.run(agent, tcpFrame(toService), draining)), near);
    // And with nobody ready it is refused.
    const alone = fresh();
    alone.run(agent, tcpFrame(toService), onlyFar);
    const syn = alone.run(agent, tcpFrame(toService), servicesOf({ at: vip, backends: [], draining: [far], generation: 2 }));
    at.isReset(syn, { sequence: 0, acknowledgment: 1001, flags: tcpFlag.rst | tcpFlag.ack });
  });

  test(`${at.name}: a connection to a backend that drained goes on until that is gone`, { skip }, () => {
    const services = fresh();
    const draining = servicesOf({ at: vip, backends: [near], draining: [far], generation: 2 });
    const gone = servicesOf({ at: vip, backends: [near], generation: 3 });
    services.run(agent, tcpFrame(toService), onlyFar);
    const data = tcpFrame(toService, tcpFlag.ack | tcpFlag.psh, { dataBytes: 20 });
    for (const tables of [draining, onlyFar, draining]) assert.deepEqual(destinationOf(services.run(agent, data, tables)), far);
    at.isReset(services.run(agent, data, gone), { sequence: 5000, acknowledgment: 0, flags: tcpFlag.rst });
  });

  test(`${at.name}: a flow stays where it is when other backends come`, { skip }, () => {
    const services = fresh();
    services.run(agent, udpFrame(toService), onlyFar);
    const more = servicesOf({ at: vip, backends: [near, far, near, near], generation: 2 });
    for (let times = 0; times < 2; times++) assert.deepEqual(destinationOf(services.run(agent, udpFrame(toService), more)), far);
    assert.equal(services.translations.get(names(toService, ipProtocol.udp).forward)?.generation, 2);
  });

  test(`${at.name}: a TCP connection whose backend is gone is reset, and begins anew elsewhere`, { skip }, () => {
    const services = fresh();
    services.run(agent, tcpFrame(toService), onlyFar);
    const data = services.run(agent, tcpFrame(toService, tcpFlag.ack | tcpFlag.psh, { dataBytes: 20 }), onlyNear);
    at.isReset(data, { sequence: 5000, acknowledgment: 0, flags: tcpFlag.rst });
    assert.equal(services.translations.size, 0);
    assert.deepEqual(destinationOf(services.run(agent, tcpFrame(toService), onlyNear)), near);
  });

  test(`${at.name}: without a backend the pod is told at once`, { skip }, () => {
    const syn = fresh().run(agent, tcpFrame(toService), nobody);
    at.isReset(syn, { sequence: 0, acknowledgment: 1001, flags: tcpFlag.rst | tcpFlag.ack });
    at.isUnreachable(fresh().run(agent, udpFrame(toService), nobody), toService);
    at.isUnreachable(fresh().run(agent, udpFrame(toService, { dataBytes: 400 }), nobody), toService);
    const ping = { source: client, destination: vip };
    at.isUnreachable(fresh().run(agent, echoFrame(ping, 5), nobody), ping);
  });

  test(`${at.name}: a port that the service does not have is refused`, { skip }, () => {
    const elsewhere = { ...toService, destinationPort: 81 };
    at.isUnreachable(fresh().run(agent, udpFrame(elsewhere), onlyFar), elsewhere);
    const outcome = fresh().run(agent, tcpFrame(elsewhere), onlyFar);
    assert.deepEqual(reasonsOf(outcome), ['noBackend']);
    assert.deepEqual(ends(at.delivered(outcome)), reversed(elsewhere));
    const other = frameOf({ source: client, destination: vip, protocol: 47, payload: new Uint8Array(4) });
    at.isUnreachable(fresh().run(agent, other, onlyFar), { source: client, destination: vip });
  });

  test(`${at.name}: nobody is told about an RST, an ICMP error or a later fragment`, { skip }, () => {
    at.drops(fresh().run(agent, tcpFrame(toService, tcpFlag.rst), nobody), 'noBackend');
    const error = errorFrame({ source: client, destination: vip }, udpFrame(reversed(toService)), { type: at.isIpv4 ? 3 : 1, code: 4 });
    at.drops(fresh().run(agent, error, nobody), 'noBackend');
    const { protocol, payload } = see(udpFrame(toService, { dataBytes: 100 }));
    const cut = (from: number): Uint8Array =>
      frameOf({ ...toService, protocol, payload: payload.slice(from, from + 48), fragment: { offsetBytes: from, more: true } });
    const first = fresh().run(agent, cut(0), nobody);
    assert.deepEqual(reasonsOf(first), ['noBackend']);
    at.drops(fresh().run(agent, cut(48), nobody, { fragments: first.fragments }), 'noBackend');
  });

  test(`${at.name}: a connection lasts two hours when nothing is sent, one that ends a minute`, { skip }, () => {
    const services = fresh();
    const { answers } = names(toService, ipProtocol.tcp);
    const answer = tcpFrame(reversed(toFar), tcpFlag.ack, fromRemote);
    const isRestored = (): boolean => reasonsOf(at.arrive(services, answer, onlyFar)).includes('restored');
    services.run(agent, tcpFrame(toService), onlyFar);
    aged(services, 70n * seconds);
    assert.equal(isRestored(), false, 'only begun');
    services.run(agent, tcpFrame(toService, tcpFlag.ack), onlyFar);
    aged(services, 7100n * seconds);
    assert.equal(isRestored(), true);
    aged(services, 7300n * seconds);
    assert.equal(isRestored(), false);
    services.run(agent, tcpFrame(toService, tcpFlag.ack), onlyFar);
    at.arrive(services, tcpFrame(reversed(toFar), tcpFlag.ack | tcpFlag.fin, fromRemote), onlyFar);
    assert.equal(services.translations.get(answers)!.state, translationState.acknowledged | translationState.closing);
    aged(services, 70n * seconds);
    assert.equal(isRestored(), false);
  });

  test(`${at.name}: UDP is forgotten after a minute, unless somebody speaks`, { skip }, () => {
    const services = fresh();
    services.run(agent, udpFrame(toService), onlyFar);
    aged(services, 50n * seconds);
    at.arrive(services, udpFrame(reversed(toFar), fromRemote), onlyFar);
    aged(services, 50n * seconds);
    const more = servicesOf({ at: vip, backends: [near], draining: [], generation: 2 });
    const stays = { ...more, backends: new Map([...more.backends, ...onlyFar.backends]) };
    assert.deepEqual(destinationOf(services.run(agent, udpFrame(toService), stays)), far, 'its answers kept it');
    aged(services, 70n * seconds);
    assert.deepEqual(destinationOf(services.run(agent, udpFrame(toService), stays)), near);
  });

  test(`${at.name}: a new connection from the same port after the last one has ended is a new flow`, { skip }, () => {
    const services = fresh();
    services.run(agent, tcpFrame(toService), onlyFar);
    services.run(agent, tcpFrame(toService, tcpFlag.ack | tcpFlag.fin), onlyFar);
    const stays = { ...onlyNear, backends: new Map([...onlyNear.backends, ...onlyFar.backends]) };
    assert.deepEqual(destinationOf(services.run(agent, tcpFrame(toService, tcpFlag.ack), stays)), far);
    assert.deepEqual(destinationOf(services.run(agent, tcpFrame(toService), stays)), near);
  });

  test(`${at.name}: two services with the same backends do not mix up the connections of one client port`, { skip }, () => {
    const services = fresh();
    const toSecond = { ...toService, destination: secondVip };
    const two = servicesOf({ at: vip, backends: [far] }, { at: secondVip, serviceId: 2, backends: [far, near] });
    services.run(agent, tcpFrame(toService, tcpFlag.ack), two);
    assert.deepEqual(destinationOf(services.run(agent, tcpFrame(toSecond), two)), near, 'another backend');
    const one = servicesOf({ at: vip, backends: [far] }, { at: secondVip, serviceId: 2, backends: [far], generation: 2 });
    const again = fresh();
    again.run(agent, tcpFrame(toService, tcpFlag.ack), one);
    assert.deepEqual(reasonsOf(again.run(agent, tcpFrame(toSecond), one)), ['noBackend'], 'no other backend');
    again.run(agent, udpFrame(toService), one);
    assert.deepEqual(destinationOf(again.run(agent, udpFrame(toSecond), one)), far);
    const back = at.arrive(again, udpFrame(reversed(toFar), fromRemote), one);
    assert.deepEqual(at.delivered(back).source, secondVip, 'answers go to whom spoke last');
  });

  test(`${at.name}: a service in a subnet shadows its address, and other addresses are as they were`, { skip }, () => {
    const tables = servicesOf({ at: far, backends: [near] });
    const outcome = fresh().run(agent, udpFrame({ ...toFar, destinationPort: 80 }), tables);
    assert.deepEqual(at.delivered(outcome).destination, near);
    const direct = fresh().run(agent, udpFrame({ ...toService, destination: far }), onlyFar);
    assert.deepEqual(reasonsOf(direct), ['sentDirect']);
    assert.deepEqual(clientPort, at.sent(direct).sourcePort);
    assert.deepEqual(at.isIpv4 ? front.ipv4 : front.ipv6, vip);
  });
}
