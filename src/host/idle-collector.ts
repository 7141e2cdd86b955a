import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** How often it is looked whether the process rests. */
const periodMs = 2000;
/** A process rests when it uses less than this part of a processor. */
const restingShare = 0.05;
/** A heap that has grown by less than this since it was collected is left alone. */
const worthwhileBytes = 25_165_824;

/**
 * Collects the heap once when the process comes to rest after a busy time. V8 collects when memory is asked for: a router whose thousands of
 * connections have all been closed asks for none, and would hold their memory for ever. The collection takes some
 * ten milliseconds, at a time when nobody waits, and gives the pages back to the system.
 */
export class IdleCollector implements Disposable {
  readonly #collect: () => void;
  readonly #heapBytes: () => number;
  readonly #busyMicroseconds: () => number;
  readonly #timer: NodeJS.Timeout;
  #collectedBytes: number;
  #busyBefore: number;

  /** The parameters are what it looks at and does; by default those of this process. */
  constructor(
    collect: () => void = heapCollection(),
    heapBytes: () => number = oldGenerationBytes,
    busyMicroseconds: () => number = (): number => {
      const { user, system } = process.cpuUsage();
      return user + system;
    },
  ) {
    this.#collect = collect;
    this.#heapBytes = heapBytes;
    this.#busyMicroseconds = busyMicroseconds;
    this.#collectedBytes = heapBytes();
    this.#busyBefore = busyMicroseconds();
    this.#timer = setInterval(() => this.look(), periodMs).unref();
  }

  /** Called once in a period. */
  look(): void {
    const busy = this.#busyMicroseconds();
    const spent = busy - this.#busyBefore;
    this.#busyBefore = busy;
    if (spent > periodMs * 1000 * restingShare) return;
    if (this.#heapBytes() - this.#collectedBytes < worthwhileBytes) return;
    this.#collect();
    this.#collectedBytes = this.#heapBytes();
    // The collection is no work of the process's own.
    this.#busyBefore = this.#busyMicroseconds();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/**
 * Without the young generation: that is as large as memory is asked for fast, and empty at rest. A collection after each burst of requests would
 * drop what V8 knows of the objects that live as long as a request, and the next burst would be slow.
 */
function oldGenerationBytes(): number {
  let bytes = 0;
  for (const { space_name: name, space_size: size } of getHeapSpaceStatistics()) if (!name.startsWith('new_')) bytes += size;
  return bytes;
}

/** A full collection that also empties V8's pool of free pages. Node offers it only behind a flag, which may be set while it runs. */
function heapCollection(): () => void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: { type: 'major'; flavor: 'last-resort' }) => void;
  return () => collect({ type: 'major', flavor: 'last-resort' });
}
