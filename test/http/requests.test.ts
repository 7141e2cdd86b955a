import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Chain, fields, plainRequest, replying, text } from './virtual-http.ts';

for (const length of [1, 2, 3]) {
  test(`a GET through ${length} routers`, () => {
    const { network, first, last } = new Chain(length);
    const server = replying('hello');
    const offer = last.serve('web', server);
    const ingress = first.reach('service');
    const client = first.request(ingress, { path: '/a?b=c', fields: fields('accept: */*', 'x-forwarded-for: 198.51.100.1') }).finish();
    network.runUntil(() => client.over !== undefined, 1000);
    assert.deepEqual([client.over, client.status, client.body.text], ['end', 200, 'hello']);
    const { head } = server.last;
    assert.deepEqual({ ...head, fields: undefined }, { ...plainRequest, path: '/a?b=c', fields: undefined });
    const [, id] = text(head.fields);
    assert.match(id, /^x-request-id: [\w.]{12}-0$/);
    assert.deepEqual(
      text(head.fields).filter((line) => line !== id),
      [
        'accept: */*',
        'forwarded: for=192.0.2.7;host="shop.example:8080";proto=http',
        'x-forwarded-for: 198.51.100.1, 192.0.2.7',
        'x-forwarded-proto: http',
        'x-forwarded-host: shop.example:8080',
      ],
    );
    network.run(100);
    assert.deepEqual([ingress.active, offer.outstanding, ingress.failed, offer.failed], [0, 0, 0, 0]);
  });
}
