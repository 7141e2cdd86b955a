/**
 * What goes to servers is the same request for each of them: requests of the corpus and mutations of them go through the parser, and what
 * it lets pass goes to real servers, in front of one request more. `SMUGGLING_MUTATIONS` sets how many mutations (default 300).
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { apacheBackEnd, haproxyBackEnd, nginxBackEnd, nodeBackEnd } from './back-ends.ts';
import { checkAll, mutatedInputs } from './smuggling-check.ts';
import { smugglingCorpus } from './smuggling-corpus.ts';
import { outcomeOf } from './smuggling-front.ts';

const mutations = Number(process.env['SMUGGLING_MUTATIONS'] ?? 300);

for (const start of [nodeBackEnd, haproxyBackEnd, nginxBackEnd, apacheBackEnd]) {
  test(`${start.name.replace('BackEnd', '')} sees exactly the requests that we forward`, { timeout: 3_600_000 }, async (context) => {
    const server = await start();
    if ('missing' in server) {
      context.skip(server.missing);
      return;
    }
    try {
      const cases = smugglingCorpus.map(
        ({ what, octets }) => [what, outcomeOf([new Uint8Array(Buffer.from(octets, 'latin1'))]).forwarded] as const,
      );
      const echoed = await checkAll(server, cases);
      assert.ok(echoed > smugglingCorpus.length, `only ${echoed} requests were told back`);
      const seed = Math.floor(Math.random() * 0x1_0000_0000);
      let sent = 0;
      let batch: [string, readonly Uint8Array[]][] = [];
      for (const input of mutatedInputs(seed, mutations)) {
        const { forwarded } = outcomeOf([input]);
        if (forwarded.length > 0) batch.push([`seed ${seed}`, forwarded]);
        if (batch.length < 256) continue;
        sent += batch.length;
        await checkAll(server, batch);
        batch = [];
      }
      await checkAll(server, batch);
      context.diagnostic(`seed ${seed}: ${sent + batch.length} of ${mutations} mutations passed on`);
    } finally {
      await server.stop();
    }
  });
}
