import assert from 'node:assert/strict';
import { test } from 'node:test';
import { skipWithoutKernel, TestKernel } from '../bpf/test-kernel.ts';
import { attachIngressProgram, detachIngressPrograms, ingressPrograms, replaceIngressProgram } from './ingress-program.ts';
import { loadSocketCalls } from './socket-calls.ts';

const skip = skipWithoutKernel() || false;

const source = `
SEC("tc") int one(struct __sk_buff *packet) { return 0; }
SEC("tc") int other(struct __sk_buff *packet) { return 2; }
`;

test('a program is attached to a link, replaced and taken off', { skip }, async () => {
  using kernel = new TestKernel();
  const calls = loadSocketCalls();
  const { near } = kernel.vethPair();
  const object = kernel.bpf.open(kernel.compile('ingress', source));
  const descriptorOf = (name: string): number => kernel.bpf.programDescriptor(object.program(name));
  assert.deepEqual(ingressPrograms(calls, near), []);

  await attachIngressProgram(calls, near, descriptorOf('one'), 'one');
  const [first, ...more] = ingressPrograms(calls, near);
  assert.ok(first !== undefined && first > 0);
  assert.deepEqual(more, []);
  await assert.rejects(attachIngressProgram(calls, near, descriptorOf('one'), 'one'), { name: 'NetlinkError' });

  replaceIngressProgram(calls, near, descriptorOf('other'), 'other');
  const [second, ...rest] = ingressPrograms(calls, near);
  assert.ok(second !== undefined && second !== first);
  assert.deepEqual(rest, []);

  detachIngressPrograms(calls, near);
  assert.deepEqual(ingressPrograms(calls, near), []);
  detachIngressPrograms(calls, near);
  replaceIngressProgram(calls, near, descriptorOf('one'), 'one');
  assert.equal(ingressPrograms(calls, near).length, 1);
});
