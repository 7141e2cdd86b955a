import { webcrypto } from 'node:crypto';
import { join } from 'node:path';
import { silentLogger } from '../../src/base/log.ts';
import { processRandom } from '../../src/host/process-random.ts';
import { TrustStore } from '../../src/host/trust-store.ts';

/** Makes a network of sites with these names, each with its folder below `folder`: the first one founds it and lets the others in. */
export async function makeTrust(folder: string, names: readonly string[]): Promise<void> {
  const crypto = { subtle: webcrypto.subtle as SubtleCrypto, random: processRandom() };
  const open = (name: string): Promise<TrustStore> =>
    TrustStore.open(join(folder, name), { wallMs: () => Date.now(), crypto, log: silentLogger });
  const [first = '', ...others] = names;
  await using founder = await open(first);
  await founder.foundNetwork(first, []);
  for (const name of others) {
    await using joiner = await open(name);
    const token = await founder.issueToken({ host: '192.0.2.1', port: 1 }, {});
    const pending = await joiner.beginRedemption(token, name, []);
    const result = await founder.redeem(token.grantId, pending.request, '192.0.2.1');
    if (result.outcome !== 'admitted') throw new Error(`${name} was not admitted`);
    await joiner.adopt(pending, result.admission);
  }
}
