import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Golden, LinkRow, SiteRow } from '../../../src/flows/network-snapshot.ts';
import { boxAround, overlaps } from './geometry.ts';
import { cardSize, flowSpeed, linkLabelText, linkWidth, mapHop, mapScene, type Scene } from './map-scene.ts';
import { networkLayout } from './network-layout.ts';

const golden: Golden = {
  successRatio: null,
  perSecond: 0,
  p50Ms: null,
  p95Ms: null,
  p99Ms: null,
  open: 0,
  bytesFromClientPerSecond: 0,
  bytesToClientPerSecond: 0,
  retriesPerSecond: 0,
};

function site(id: string): SiteRow {
  return {
    id,
    name: id,
    platform: null,
    version: null,
    location: null,
    namespace: null,
    relation: 'direct',
    nextHop: null,
    cost: 1,
    trust: 'signed',
    advertise: null,
    consume: null,
    state: 'up',
    certificateEndsMs: null,
    membershipEndsMs: null,
    outbound: golden,
    inbound: golden,
  };
}

function link(from: string, to: string): LinkRow {
  return {
    id: `${from} ${to}`,
    name: to,
    from,
    to,
    fromName: from,
    toName: to,
    directionKnown: true,
    cost: 1,
    state: 'up',
    roundTripMs: 12.4,
    lossRatio: 0,
    upSinceMs: 0,
    downCount: 0,
    bytesPerSecond: 0,
    bytesReversePerSecond: 0,
  };
}

function scene(ids: readonly string[], links: readonly LinkRow[], scale: number): Scene {
  const places = networkLayout(
    ids,
    links.map(({ from, to }) => [from, to]),
    ids[0] ?? null,
  );
  const hop = mapHop(places, ids, { width: 700, height: 500 });
  return mapScene({ sites: ids.map(site), links, places, scale, hop, frame: null, preferred: new Set() });
}

test('few sites are cards that lie apart, with labelled links that end at the cards', () => {
  const links = [link('a', 'b'), link('b', 'c'), link('a', 'd'), link('c', 'd')];
  const { shape, nodes, links: lines } = scene(['a', 'b', 'c', 'd'], links, 1);
  assert.equal(shape, 'cards');
  const boxes = nodes.map(({ at }) => boxAround(at, cardSize.width, cardSize.height));
  for (const [index, box] of boxes.entries()) {
    for (const other of boxes.slice(index + 1)) assert.ok(!overlaps(box, other));
    for (const { from, to, label } of lines) {
      for (const end of [from, to]) assert.ok(!overlaps(box, boxAround(end, 1, 1)), 'a line does not run into a card');
      if (label !== null) assert.ok(!overlaps(box, boxAround(label.at, label.width, 16)), 'a label does not lie on a card');
    }
  }
});

test('sites become dots when they come too close, and when there are many', () => {
  assert.equal(scene(['a', 'b', 'c'], [link('a', 'b'), link('b', 'c')], 0.2).shape, 'dots');
  const ids = Array.from({ length: 120 }, (_, index) => `site-${index}`);
  const { shape, nodes } = scene(
    ids,
    ids.slice(1).map((id) => link(id, 'site-0')),
    1,
  );
  assert.equal(shape, 'dots');
  assert.equal(nodes.length, 120);
});

test('links to sites that are not there are left out', () => {
  assert.equal(scene(['a', 'b'], [link('a', 'b'), link('a', 'gone'), link('a', 'a')], 1).links.length, 1);
});

test('lines are wider and faster the more they carry, up to a limit', () => {
  assert.deepEqual([0, 1e12].map(linkWidth), [1.25, 6]);
  assert.deepEqual([0, 100, 50_000, 5e6].map(flowSpeed), [0, 1, 2, 3]);
  assert.equal(linkLabelText(link('a', 'b')), 'cost 1 · 12 ms');
  assert.equal(linkLabelText({ ...link('a', 'b'), state: 'down' }), 'cost 1 · down');
});
