import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { skipWithoutKernel, TestKernel } from '../../kernel/bpf/test-kernel.ts';
import { ingressPrograms } from '../../kernel/netlink/ingress-program.ts';
import { loadSocketCalls } from '../../kernel/netlink/socket-calls.ts';
import { PinnedLinks } from './pinned-links.ts';
import { PodAgents, type AgentMode } from './pod-agents.ts';

const skip = skipWithoutKernel() || false;
const modes: readonly AgentMode[] = ['tc', 'tcx', 'xdp'];

const source = `
SEC("tc") int agent_tc(struct __sk_buff *packet) { return 0; }
SEC("xdp") int agent_xdp(struct xdp_md *packet) { return XDP_PASS; }
`;

test('the agent stays when the daemon starts anew, in the same mode or in another', { skip }, async () => {
  using kernel = new TestKernel();
  kernel.bpf.mountBpffs(kernel.pins);
  const calls = loadSocketCalls();
  const { near } = kernel.vethPair();
  const object = kernel.bpf.open(kernel.compile('agents', source));
  const links = new PinnedLinks(kernel.bpf, join(kernel.pins, 'links'));
  const agentsOf = (mode: AgentMode): PodAgents =>
    new PodAgents({ bpf: kernel.bpf, calls, links, mode, program: (name) => object.program(name) });

  await agentsOf('tcx').attach(near);
  for (const before of modes) {
    for (const after of modes) {
      for (const mode of [before, after]) agentsOf(mode).adopt([near]);
      assert.ok(agentsOf(after).isAttached(near), `${before} to ${after}`);
      assert.equal(ingressPrograms(calls, near).length, after === 'tc' ? 1 : 0, `${before} to ${after}`);
      assert.equal(links.names().length, after === 'tc' ? 0 : 1, `${before} to ${after}`);
    }
  }
});

test('a pin of a link that is gone is taken away', { skip }, async () => {
  using kernel = new TestKernel();
  kernel.bpf.mountBpffs(kernel.pins);
  const { near, nearName } = kernel.vethPair();
  const object = kernel.bpf.open(kernel.compile('agents', source));
  const links = new PinnedLinks(kernel.bpf, join(kernel.pins, 'links'));
  const agents = new PodAgents({ bpf: kernel.bpf, calls: loadSocketCalls(), links, mode: 'tcx', program: (name) => object.program(name) });
  await agents.attach(near);
  assert.ok(agents.isAttached(near));
  kernel.removeVeth(nearName);
  assert.ok(!agents.isAttached(near));
  agents.adopt([]);
  assert.deepEqual(links.names(), []);
});
