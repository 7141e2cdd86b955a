import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EdgeRow, Golden } from '../../../src/flows/network-snapshot.ts';
import { columnLimit, flowPicture } from './flow-columns.ts';

const size = { width: 900, height: 500 };

function edge(source: string, address: string, dest: string, perSecond: number, secured: EdgeRow['secured'] = 'mutual-tls'): EdgeRow {
  const golden: Golden = {
    successRatio: 1,
    perSecond,
    p50Ms: 1,
    p95Ms: 2,
    p99Ms: 3,
    open: 0,
    bytesFromClientPerSecond: 0,
    bytesToClientPerSecond: 0,
    retriesPerSecond: 0,
  };
  return { sourceId: source, sourceName: source, destId: dest, destName: dest, address, protocol: 'http', secured, golden };
}

test('a site that asks and answers stands in both columns', () => {
  const { nodes, bands } = flowPicture([edge('west', 'web', 'east', 5), edge('east', 'web', 'east', 1, 'local')], size);
  assert.deepEqual(nodes.map(({ key }) => key).sort(), ['client east', 'client west', 'server east', 'service web']);
  assert.equal(nodes.find(({ key }) => key === 'server east')?.perSecond, 6);
  assert.equal(bands.length, 2);
  assert.equal(bands.find(({ clientKey }) => clientKey === 'client east')?.sign, null, 'within a site there is no link to secure');
  const [wide, thin] = [...bands].sort((a, b) => b.width - a.width);
  assert.ok(wide?.clientKey === 'client west' && thin !== undefined && wide.width > thin.width);
});

test('columns with many entries end in one for the rest, and nothing is lost', () => {
  const edges = Array.from({ length: 200 }, (_, index) => edge(`site-${index}`, `service-${index % 3}`, `hub-${index % 5}`, 1 + index));
  const { nodes, bands, height } = flowPicture(edges, size);
  const clients = nodes.filter(({ kind }) => kind === 'client');
  assert.equal(clients.length, columnLimit);
  assert.equal(clients.find(({ id }) => id === null)?.name, `${200 - columnLimit + 1} more`);
  assert.equal(
    bands.reduce((sum, { edges: own }) => sum + own.length, 0),
    200,
  );
  for (const node of nodes) assert.ok(node.y >= 0 && node.y + node.height <= height && node.x >= 0 && node.x + node.width <= size.width);
});

test('entries stay where they are while rates change a little', () => {
  const edges = [edge('a', 'web', 'x', 5), edge('b', 'web', 'x', 4), edge('c', 'web', 'x', 3)];
  const order = (rows: readonly EdgeRow[]): readonly string[] => flowPicture(rows, size).nodes.map(({ key }) => key);
  assert.deepEqual(order(edges), order([edge('c', 'web', 'x', 5), edge('a', 'web', 'x', 3), edge('b', 'web', 'x', 9)]));
});

test('nothing gives an empty picture', () => {
  assert.deepEqual(flowPicture([], size).nodes, []);
});
