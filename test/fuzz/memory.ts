import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect: unknown = runInNewContext('gc');

/** Bytes on the heap and in array buffers after a full collection. */
export function liveBytes(): number {
  if (typeof collect === 'function') collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** What is kept alive by the result of `make`, in bytes: the smallest of three tries, because the collector has moods. */
export function retainedBytes(make: () => unknown): number {
  let smallest = Infinity;
  for (let attempt = 0; attempt < 3; attempt++) {
    const before = liveBytes();
    const kept = make();
    const after = liveBytes();
    smallest = Math.min(smallest, after - before);
    if (kept === liveBytes) throw new Error('the result must stay alive until here');
  }
  return smallest;
}

/** The shortest duration of three calls, in milliseconds. */
export function shortestMs(run: () => void): number {
  let shortest = Infinity;
  for (let attempt = 0; attempt < 3; attempt++) {
    const start = performance.now();
    run();
    shortest = Math.min(shortest, performance.now() - start);
  }
  return shortest;
}
