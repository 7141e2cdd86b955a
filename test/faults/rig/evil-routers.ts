import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { routerId } from '../../e2e/network.ts';
import type { Entity } from '../../e2e/router-process.ts';
import { EvilProgram } from '../../evil/evil-program.ts';
import type { Lab } from './lab.ts';
import type { RouterNetwork } from './routers.ts';

/** What each evil router may announce and send to: a name of its own. */
export const evilAddresses: readonly string[] = ['evil.*'];

/**
 * Starts an evil router on host `evil` with a valid identity of the network, linked to the router `neighbour`. It makes the attacks one by
 * one (`EvilProgram.attack`).
 */
export async function startEvil(
  lab: Lab,
  network: RouterNetwork,
  name: string,
  neighbour: { readonly name: string; readonly port: number },
  parameters: readonly string[],
): Promise<EvilProgram> {
  const id = routerId(name);
  const folder = join(lab.folder, name);
  await mkdir(folder, { recursive: true });
  const dial = { role: 'inter-router', host: lab.address(neighbour.name, 'evil'), port: neighbour.port, sslProfile: 'links' };
  const entities: Entity[] = [
    ['router', { id, mode: 'interior' }],
    network.authority.profile(await network.authority.issue(id)),
    await network.authority.signing(id, folder, evilAddresses),
    ['connector', { name: neighbour.name, saslMechanisms: 'EXTERNAL', verifyHostname: false, ...dial }],
  ];
  const file = join(folder, 'router.json');
  await writeFile(file, JSON.stringify(entities));
  return await EvilProgram.start(['--config', file, ...parameters], (line) => lab.on('evil', line));
}
