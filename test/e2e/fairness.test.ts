import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stalledBeside } from './stalled.ts';

const mebibyte = 1_048_576;
const count = 50;
/** What a router may hold for a stream and direction. */
const heldBytes = mebibyte;
/** What a busy router takes beside: slabs, buffers of sockets, garbage not collected yet. */
const slackBytes = 100 * mebibyte;

for (const direction of ['clients', 'servers'] as const) {
  test(`${count} ${direction} that do not read slow nobody and are held within bounds`, { timeout: 58_000 }, async () => {
    const result = await stalledBeside({ direction, count, stalledBytes: 8 * mebibyte, healthyBytes: 100_000_000 });
    console.log(
      `# 100 MB alone: ${result.aloneSeconds.toFixed(2)} s, beside ${count} stalled ${direction}: ${result.besideSeconds.toFixed(2)} s`,
    );
    assert.ok(result.exact, 'every octet is the one that was sent');
    assert.ok(result.besideSeconds < 20);
    for (const { id, bytes } of result.growth) {
      console.log(`# ${id}: ${Math.round(bytes / mebibyte)} MiB more resident (${Math.round(bytes / count / 1024)} KiB a stream)`);
      if (!Number.isNaN(bytes)) assert.ok(bytes <= count * heldBytes + slackBytes, `${id} grew by ${bytes} bytes`);
    }
  });
}
