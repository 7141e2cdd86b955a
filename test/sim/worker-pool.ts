import { Worker } from 'node:worker_threads';
import type { Job, JobResult } from './job.ts';

/** Runs jobs on several threads. `results` come in the order in which they are done. */
export class WorkerPool implements AsyncDisposable {
  readonly #workers: Worker[] = [];

  constructor(size: number) {
    for (let count = 0; count < size; count++) this.#workers.push(new Worker(new URL('worker.ts', import.meta.url)));
  }

  /** Runs jobs until there are no more or `result` gives false. */
  async run(jobs: Iterator<Job>, result: (result: JobResult) => boolean): Promise<void> {
    let stopped = false;
    await Promise.all(
      this.#workers.map(
        (worker) =>
          new Promise<void>((resolve, reject) => {
            const next = (): void => {
              const job = stopped ? undefined : jobs.next();
              if (job === undefined || job.done === true) {
                worker.off('message', received);
                worker.off('error', reject);
                resolve();
              } else worker.postMessage(job.value, []);
            };
            const received = (value: JobResult): void => {
              if (!stopped && !result(value)) stopped = true;
              next();
            };
            worker.on('message', received);
            worker.on('error', reject);
            next();
          }),
      ),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}
