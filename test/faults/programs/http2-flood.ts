/**
 * Floods a port with HTTP/2, as `node http2-flood.ts PORT`. A question on the message channel names one of the attacks and how long it goes on;
 * the answer says what became of its connections. Who is cut off comes again until the time is over.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { attacks } from '../../conformance/http2-attacks.ts';
import { FrameClient } from '../../conformance/http2-frames.ts';

export interface FloodQuestion {
  readonly attack: string;
  readonly floodMs: number;
  /** How long the first connection may stand after it, before it counts as not cut. */
  readonly patienceMs: number;
}

export interface FloodAnswer {
  readonly connections: number;
  readonly cuts: number;
  readonly writtenBytes: number;
}

const stepMs = 25;
/** Once one was cut, those that follow are given this long. */
const laterPatienceMs = 100;
const port = Number(process.argv[2]);

async function flood({ attack: name, floodMs, patienceMs }: FloodQuestion): Promise<FloodAnswer> {
  const attack = attacks[name];
  if (attack === undefined) throw new Error(`there is no attack ${name}`);
  let [connections, cuts, writtenBytes] = [0, 0, 0];
  const untilMs = performance.now() + floodMs;
  do {
    const client = await FrameClient.open(port, ...(attack.settings ?? []));
    connections++;
    let wasCut = await client.flood(attack.round, untilMs, attack.mostBytes);
    const patienceEndMs = performance.now() + (cuts > 0 ? laterPatienceMs : patienceMs);
    while (!wasCut && performance.now() < patienceEndMs) {
      await sleep(stepMs);
      wasCut = client.closed;
    }
    if (wasCut) cuts++;
    writtenBytes += client.writtenBytes;
    client.destroy();
  } while (performance.now() < untilMs);
  return { connections, cuts, writtenBytes };
}

process.on('message', (question: FloodQuestion) => {
  void flood(question).then((answer) => process.send?.(answer));
});
process.once('SIGTERM', () => process.exit(0));
console.log('running');
