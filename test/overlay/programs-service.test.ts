/** Services in all programs of the data path, with IPv4 and IPv6: the way there and back. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { portFlag } from '../../src/overlay/layout/port.ts';
import { flowDirection } from '../../src/overlay/layout/translation.ts';
import { flowName } from '../../src/overlay/model/policy.ts';
import { slotOf } from '../../src/overlay/model/service.ts';
import { ipv4Octets } from '../../src/overlay/packet/address.ts';
import { decodeArp } from '../../src/overlay/packet/arp.ts';
import { decodeEthernet } from '../../src/overlay/packet/ethernet.ts';
import {
  decodeIcmp,
  icmpFragmentationNeeded,
  icmpPortUnreachable,
  icmpType,
  icmpv6PortUnreachable,
  icmpv6Type,
} from '../../src/overlay/packet/icmp.ts';
import { ipProtocol } from '../../src/overlay/packet/ipv4.ts';
import { decodeIpv6 } from '../../src/overlay/packet/ipv6.ts';
import { decodeNeighbor } from '../../src/overlay/packet/neighbor-discovery.ts';
import { tcpFlag } from '../../src/overlay/packet/tcp.ts';
import { skipWithoutKernel } from '../../src/kernel/bpf/test-kernel.ts';
import { address, arpFrame, gatewayMac, neighbour, open, pod, ProgramWorld, solicitationFrame, tunnelFrame, vni } from './program-world.ts';
import { ends, fromRemote, reasonsOf, reversed, serviceCases } from './service-cases.ts';
import { echoFrame, errorFrame, frameOf, see, seeQuoted, tcpFrame, udpFrame } from './service-packets.ts';
import { backendPort, front, ServiceWorld, servicesOf } from './service-world.ts';

const skip = skipWithoutKernel();
const world = skip === false ? new ProgramWorld() : undefined;
after(() => world?.[Symbol.dispose]());

const fresh = (): ServiceWorld => new ServiceWorld(world!);

for (const at of serviceCases) {
  const { agent, client, vip, far, near, toService, toFar } = at;
  const onlyFar = servicesOf({ at: vip, backends: [far] });

  test(`${at.name}: a TCP connection to a service goes to a backend, and its answers come from the service`, { skip }, () => {
    const services = fresh();
    const first = services.run(agent, tcpFrame(toService), onlyFar);
    assert.deepEqual(reasonsOf(first), ['sentDirect', 'translated']);
    const there = at.sent(first);
    assert.deepEqual([ends(there), there.flags, there.timeToLive], [toFar, tcpFlag.syn, 63]);
    assert.deepEqual(decodeEthernet(open(first.frame).inner)!.source, gatewayMac);
    const answer = at.arrive(services, tcpFrame(reversed(toFar), tcpFlag.syn | tcpFlag.ack, { ...fromRemote, dataBytes: 3 }), onlyFar);
    assert.deepEqual(reasonsOf(answer), ['delivered', 'restored']);
    assert.deepEqual(ends(at.delivered(answer)), reversed(toService));
    const third = services.run(agent, tcpFrame(toService, tcpFlag.ack, { dataBytes: 501 }), onlyFar);
    assert.deepEqual(ends(at.sent(third)), toFar);
  });

  test(`${at.name}: UDP, with its checksum or none, goes there and back`, { skip }, () => {
    for (const noChecksum of [false, true]) {
      const services = fresh();
      const there = at.sent(services.run(agent, udpFrame(toService, { noChecksum }), onlyFar));
      assert.deepEqual(ends(there), toFar);
      assert.equal(there.payload[6] === 0 && there.payload[7] === 0, noChecksum);
      const back = at.delivered(at.arrive(services, udpFrame(reversed(toFar), { ...fromRemote, noChecksum }), onlyFar));
      assert.deepEqual(ends(back), reversed(toService));
      assert.equal(back.payload[6] === 0 && back.payload[7] === 0, noChecksum);
    }
  });

  test(`${at.name}: an echo request goes to a backend, and its reply comes from the service`, { skip }, () => {
    const services = fresh();
    const there = at.sent(services.run(agent, echoFrame({ source: client, destination: vip }, 7), onlyFar));
    assert.deepEqual([there.source, there.destination], [client, far]);
    const back = at.delivered(at.arrive(services, echoFrame({ source: far, destination: client }, 7, 'echoReply', fromRemote), onlyFar));
    assert.deepEqual([back.source, back.destination], [vip, client]);
    const other = at.arrive(services, echoFrame({ source: far, destination: client }, 8, 'echoReply', fromRemote), onlyFar);
    assert.deepEqual(at.delivered(other).source, far, 'of another echo');
  });

  test(`${at.name}: a backend of this host answers as the service, too`, { skip }, () => {
    const services = fresh();
    const tables = servicesOf({ at: vip, backends: [near] });
    const request = services.run(agent, tcpFrame(toService), tables);
    assert.deepEqual(reasonsOf(request), ['delivered', 'translated']);
    const there = at.delivered(request);
    const toNear = { ...toService, destination: near, destinationPort: backendPort };
    assert.deepEqual([ends(there), there.sourceMac, there.destinationMac], [toNear, gatewayMac, neighbour.mac]);
    const frame = tcpFrame(reversed(toNear), tcpFlag.syn | tcpFlag.ack, { sourceMac: neighbour.mac, destinationMac: pod.mac });
    const answer = services.runAsNeighbour(agent, frame, tables);
    assert.deepEqual(reasonsOf(answer), ['delivered', 'restored']);
    assert.deepEqual(ends(at.delivered(answer)), reversed(toService));
  });

  test(`${at.name}: a pod that is its own backend meets itself as the service`, { skip }, () => {
    const services = fresh();
    const tables = servicesOf({ at: vip, backends: [client] });
    const request = services.run(agent, tcpFrame(toService), tables);
    assert.deepEqual(reasonsOf(request), ['delivered', 'translated']);
    const there = at.delivered(request);
    const asService = { ...toService, source: vip, destination: client, destinationPort: backendPort };
    assert.deepEqual([ends(there), there.sourceMac, there.destinationMac], [asService, gatewayMac, pod.mac]);
    const answer = services.run(agent, tcpFrame(reversed(asService), tcpFlag.syn | tcpFlag.ack), tables);
    assert.deepEqual(reasonsOf(answer), ['delivered', 'restored']);
    assert.deepEqual(ends(at.delivered(answer)), reversed(toService));
    const echo = at.delivered(services.run(agent, echoFrame({ source: client, destination: vip }, 9), tables));
    assert.deepEqual([echo.source, echo.destination], [vip, client]);
    const reply = at.delivered(services.run(agent, echoFrame({ source: client, destination: vip }, 9, 'echoReply'), tables));
    assert.deepEqual([reply.source, reply.destination], [vip, client]);
  });

  test(`${at.name}: new flows take the slots of their hash`, { skip }, () => {
    const services = fresh();
    const tables = servicesOf({ at: vip, backends: [far, near] });
    const seen = new Set<Uint8Array>();
    for (let sourcePort = 40_000; sourcePort < 40_012; sourcePort++) {
      const flow = { ...toService, sourcePort, protocol: ipProtocol.tcp };
      services.run(agent, tcpFrame(flow), tables);
      const expected = slotOf(flow, false) % 2 === 0 ? far : near;
      const forward = services.translations.get(flowName({ ...flow, vni, direction: flowDirection.forward }));
      assert.deepEqual(forward?.address, expected);
      seen.add(expected);
    }
    assert.equal(seen.size, 2);
  });

  test(`${at.name}: a packet that does not come from a service's backend is left alone`, { skip }, () => {
    const services = fresh();
    services.run(agent, tcpFrame(toService), onlyFar);
    const flow = { ...reversed(toFar), sourcePort: 22 };
    const other = at.arrive(services, tcpFrame(flow, tcpFlag.ack, fromRemote), onlyFar);
    assert.deepEqual(reasonsOf(other), ['delivered']);
    assert.deepEqual(ends(at.delivered(other)), flow);
    const direct = services.run(agent, udpFrame({ ...toFar, sourcePort: 5000 }), onlyFar);
    assert.deepEqual(reasonsOf(direct), ['sentDirect']);
  });

  test(`${at.name}: fragments go where the first one goes`, { skip }, () => {
    const services = fresh();
    const datagram = see(udpFrame(toService, { dataBytes: 100 }));
    const { protocol, payload } = datagram;
    const cut = (from: number, to: number): Uint8Array =>
      frameOf({
        source: client,
        destination: vip,
        protocol,
        payload: payload.slice(from, to),
        fragment: { offsetBytes: from, more: to < payload.length },
      });
    const lost = services.run(agent, cut(48, 108), onlyFar);
    at.drops(lost, 'fragment');
    const first = services.run(agent, cut(0, 48), onlyFar);
    const later = services.run(agent, cut(48, 108), onlyFar, { fragments: first.fragments });
    const whole = Uint8Array.of(...at.sent(first).payload, ...at.sent(later).payload);
    const expected = see(udpFrame(toFar, { dataBytes: 100 }));
    assert.deepEqual([at.sent(later).destination, whole], [far, expected.payload], 'put together with a right checksum');
    const answer = see(udpFrame(reversed(toFar), { dataBytes: 100 })).payload;
    const cutAnswer = (from: number, to: number): Uint8Array =>
      tunnelFrame(
        frameOf({
          source: far,
          destination: client,
          ...fromRemote,
          protocol,
          payload: answer.slice(from, to),
          fragment: { offsetBytes: from, more: to < answer.length },
        }),
      );
    const begin = services.run(at.transit, cutAnswer(0, 48), onlyFar);
    const end = services.run(at.transit, cutAnswer(48, 108), onlyFar, { fragments: begin.fragments });
    const wholeAnswer = Uint8Array.of(...at.delivered(begin).payload, ...at.delivered(end).payload);
    const expectedAnswer = see(udpFrame(reversed(toService), { dataBytes: 100 }));
    assert.deepEqual([at.delivered(end).source, wholeAnswer], [vip, expectedAnswer.payload]);
  });

  test(`${at.name}: an ICMP error about a packet to a service speaks of the service`, { skip }, () => {
    const port = at.isIpv4
      ? { type: icmpType.destinationUnreachable, code: icmpPortUnreachable }
      : { type: icmpv6Type.destinationUnreachable, code: icmpv6PortUnreachable };
    const tooBig = at.isIpv4
      ? { type: icmpType.destinationUnreachable, code: icmpFragmentationNeeded }
      : { type: icmpv6Type.packetTooBig, code: 0 };
    const headerBytes = at.isIpv4 ? 20 : 40;
    for (const frame of [
      udpFrame(toService),
      udpFrame(toService, { noChecksum: true }),
      tcpFrame(toService, tcpFlag.syn, { dataBytes: 5 }),
    ]) {
      const services = fresh();
      const there = open(services.run(agent, frame, onlyFar).frame).inner;
      for (const quotedBytes of [1000, headerBytes + 8]) {
        const fromBackend = errorFrame({ source: far, destination: client }, there, port, quotedBytes, fromRemote);
        const told = at.arrive(services, fromBackend, onlyFar);
        assert.deepEqual(reasonsOf(told), ['delivered', 'restored']);
        assert.deepEqual(at.delivered(told).source, vip);
        assert.deepEqual(seeQuoted(told.frame).wrong, []);
        assert.deepEqual(ends(seeQuoted(told.frame)), toService);
        const router = at.isIpv4 ? address('10.0.0.1') : address('fd00::1');
        const fromRouter = errorFrame({ source: router, destination: client }, there, tooBig, quotedBytes, fromRemote);
        const toldByRouter = at.arrive(services, fromRouter, onlyFar);
        assert.deepEqual(at.delivered(toldByRouter).source, router);
        assert.deepEqual(ends(seeQuoted(toldByRouter.frame)), toService);
      }
    }
    const services = fresh();
    const echo = open(services.run(agent, echoFrame({ source: client, destination: vip }, 3), onlyFar).frame).inner;
    const told = at.arrive(services, errorFrame({ source: far, destination: client }, echo, port, 1000, fromRemote), onlyFar);
    const quoted = seeQuoted(told.frame);
    assert.deepEqual([at.delivered(told).source, quoted.source, quoted.destination, quoted.wrong], [vip, client, vip, []]);
  });

  test(`${at.name}: a packet that is too big for the backend's subnet is answered as the pod sent it`, { skip }, () => {
    const subnetMtu = 400;
    const { ports, subnets } = world!.tables;
    const port = ports.get(pod.ifindex)!;
    const narrow = { key: { prefixLength: 160, vni, address: far }, subnet: { ...subnets[0]!.subnet, mtu: subnetMtu } };
    const withNarrow = {
      ports: new Map([[pod.ifindex, { ...port, flags: port.flags | portFlag.hasServices, leastMtu: subnetMtu }]]),
      subnets: [...subnets, narrow],
    };
    const headerBytes = (at.isIpv4 ? 20 : 40) + 8;
    const fits = fresh().run(agent, udpFrame(toService, { dataBytes: subnetMtu - headerBytes }), onlyFar, withNarrow);
    assert.deepEqual(ends(at.sent(fits)), toFar);
    const frame = udpFrame(toService, { dataBytes: subnetMtu - headerBytes + 1 });
    const told = fresh().run(agent, frame, onlyFar, withNarrow);
    assert.deepEqual(reasonsOf(told), ['tooBig', 'translated']);
    const { type, code, rest, body } = decodeIcmp(at.delivered(told).payload)!;
    const tooBig = at.isIpv4 ? [icmpType.destinationUnreachable, icmpFragmentationNeeded] : [icmpv6Type.packetTooBig, 0];
    assert.deepEqual([type, code, rest], [...tooBig, subnetMtu]);
    assert.deepEqual(body, frame.subarray(14, 14 + (at.isIpv4 ? 68 : 128)));
  });

  test(`${at.name}: an ICMP error of the client about an answer goes to the backend`, { skip }, () => {
    const port = at.isIpv4
      ? { type: icmpType.destinationUnreachable, code: icmpPortUnreachable }
      : { type: icmpv6Type.destinationUnreachable, code: icmpv6PortUnreachable };
    const services = fresh();
    services.run(agent, udpFrame(toService), onlyFar);
    const answer = at.arrive(services, udpFrame(reversed(toFar), fromRemote), onlyFar).frame;
    const error = services.run(agent, errorFrame({ source: client, destination: vip }, answer, port), onlyFar);
    assert.deepEqual(reasonsOf(error), ['sentDirect', 'translated']);
    const there = at.sent(error);
    const quoted = seeQuoted(open(error.frame).inner);
    assert.deepEqual([there.destination, ends(quoted), quoted.wrong], [far, reversed(toFar), []]);
    assert.equal(decodeIcmp(there.payload)!.code, port.code);
    const unknown = udpFrame({ ...reversed(toService), sourcePort: 9 }, fromRemote);
    at.drops(services.run(agent, errorFrame({ source: client, destination: vip }, unknown, port), onlyFar), 'noBackend');
  });

  test(`${at.name}: questions for the MAC of a service are answered with the gateway's`, { skip }, () => {
    const inSubnet = at.isIpv4 ? address('10.0.0.77') : address('fd00::77');
    for (const target of [inSubnet, at.isIpv4 ? front.ipv4 : front.ipv6]) {
      const tables = servicesOf({ at: target, backends: [] });
      const outcome = fresh().run(agent, at.isIpv4 ? arpFrame(target) : solicitationFrame(target), tables);
      assert.deepEqual(reasonsOf(outcome), ['answered']);
      const { payload, source } = decodeEthernet(outcome.frame)!;
      assert.deepEqual(source, gatewayMac);
      if (at.isIpv4) {
        const { senderMac, senderAddress } = decodeArp(payload)!;
        assert.deepEqual([senderMac, ipv4Octets(senderAddress)], [gatewayMac, ipv4Octets(target)]);
      } else {
        const message = decodeNeighbor(decodeIcmp(decodeIpv6(payload)!.payload)!)!;
        assert.deepEqual([message.target, message.linkLayerAddress], [target, gatewayMac]);
      }
    }
  });

  test(`${at.name}: two tenants with the same addresses and the same ports do not meet`, { skip }, () => {
    const services = fresh();
    const other = vni + 1;
    const tables = servicesOf({ at: vip, backends: [far] }, { at: vip, vni: other, serviceId: 2, backends: [near] });
    services.run(agent, tcpFrame(toService), tables);
    const ports = new Map(world!.tables.ports);
    const port = { ...ports.get(pod.ifindex)!, vni: other, flags: 7 };
    services.run(agent, tcpFrame(toService), tables, { ports: new Map([[pod.ifindex, port]]) });
    const backends = [vni, other].map(
      (of) =>
        services.translations.get(flowName({ ...toService, vni: of, protocol: ipProtocol.tcp, direction: flowDirection.forward }))?.address,
    );
    assert.deepEqual(backends, [far, near]);
    const back = at.arrive(services, tcpFrame(reversed(toFar), tcpFlag.ack, fromRemote), tables);
    assert.deepEqual(at.delivered(back).source, vip);
    assert.equal(
      services.translations.has(flowName({ ...reversed(toFar), vni: other, protocol: ipProtocol.tcp, direction: flowDirection.answers })),
      false,
    );
  });
}
