import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LinkStateDatabase, type RouterRecord } from './link-state-database.ts';
import { LinkStateGraph, unknownLinkState } from './link-state-graph.ts';
import { RouterIndex } from './router-index.ts';

const nobodySigns = (): boolean => false;

function learned(database: LinkStateDatabase, routerId: string, speaks: boolean): RouterRecord {
  const record = database.learn(routerId, speaks);
  assert.ok(record);
  return record;
}

test('the graph has what routers say, those that have not spoken as unknown, and not those that were forgotten', () => {
  const database = new LinkStateDatabase();
  const graph = new LinkStateGraph(new RouterIndex(), 'a');
  const { index } = graph;
  const b = learned(database, 'b', true);
  learned(database, 'c', false);
  database.update(
    b,
    1,
    new Map([
      ['a', 1],
      ['c', 7],
    ]),
    undefined,
  );
  database.writeTo(graph, nobodySigns);
  assert.equal(graph.edgeCost(index.find('b'), index.find('c')), 7);
  assert.equal(graph.linkState(index.find('c')), unknownLinkState);
  const before = graph.linkState(index.find('b'));
  database.writeTo(graph, nobodySigns);
  assert.equal(graph.linkState(index.find('b')), before, 'the same object while nothing changes');
  database.update(b, 2, new Map([['a', 1]]), undefined);
  for (let sweep = 0; sweep < 3; sweep++) database.forget(new Set());
  database.writeTo(graph, nobodySigns);
  assert.equal(graph.linkState(index.find('c')), undefined);
  assert.equal(graph.edgeCost(index.find('b'), index.find('c')), Infinity);
});

test('a router known to be out of date is reachable without confirming, until its link state comes', () => {
  const database = new LinkStateDatabase();
  const graph = new LinkStateGraph(new RouterIndex(), 'a');
  const { index } = graph;
  const b = learned(database, 'b', true);
  const c = learned(database, 'c', true);
  database.update(b, 1, new Map([['c', 1]]), undefined);
  database.update(c, 1, new Map(), undefined);
  const edge = (): number => {
    database.writeTo(graph, nobodySigns);
    return graph.edgeCost(index.find('b'), index.find('c'));
  };
  assert.equal(edge(), Infinity);
  c.outdated = true;
  assert.equal(edge(), 1);
  database.update(c, 2, new Map([['b', 1]]), undefined);
  assert.equal(edge(), 1);
  database.update(c, 3, new Map(), undefined);
  assert.equal(edge(), Infinity);
});

test('names that only others tell cannot use up the numbers', () => {
  const database = new LinkStateDatabase();
  const graph = new LinkStateGraph(new RouterIndex(), 'a');
  const { index } = graph;
  for (let name = 0; index.size < 65_536; name++) index.indexOf(`gone-${name}`);
  const b = learned(database, 'b', true);
  const c = learned(database, 'c', false);
  database.update(b, 1, new Map([['c', 1]]), undefined);
  database.writeTo(graph, nobodySigns);
  assert.equal(index.find('c'), -1);
  assert.ok(index.find('b') >= 0);
  c.speaks = true;
  database.writeTo(graph, nobodySigns);
  assert.equal(graph.edgeCost(index.find('b'), index.find('c')), 1, 'a router that speaks is taken up by those who name it');
});
