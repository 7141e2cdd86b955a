import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { routerId } from '../../e2e/network.ts';
import type { Entity } from '../../e2e/router-process.ts';
import type { ConsumeQuestion, MessagingQuestion, MessagingReport, ProduceQuestion, ProducingProgress } from '../programs/messaging.ts';
import { startProgram } from './own-program.ts';
import type { Program } from './program.ts';

const host = '127.0.0.1';

/** A messaging peer as a process: a router that links to others and produces or consumes numbered messages. */
export class MessagingPeer implements AsyncDisposable {
  readonly #program: Program;
  readonly #folder: string;

  private constructor(program: Program, folder: string) {
    this.#program = program;
    this.#folder = folder;
  }

  /** Dials the link ports of routers of this host. */
  static async start(name: string, linkPorts: readonly number[], entities: readonly Entity[] = []): Promise<MessagingPeer> {
    const folder = await mkdtemp(join(tmpdir(), 'caravan-messaging-'));
    const file = join(folder, 'router.json');
    const connectors = linkPorts.map((port): Entity => {
      return ['connector', { name: `to-${port}`, role: 'inter-router', host, port, saslMechanisms: 'ANONYMOUS' }];
    });
    await writeFile(file, JSON.stringify([['router', { id: routerId(name), mode: 'interior' }], ...connectors, ...entities]));
    return new MessagingPeer(await startProgram('messaging', [file], /running/), folder);
  }

  async #ask<T>(question: MessagingQuestion): Promise<T> {
    return await this.#program.ask<T>(question);
  }

  async consume(question: ConsumeQuestion): Promise<void> {
    await this.#ask({ consume: question });
  }

  async produce(question: ProduceQuestion): Promise<void> {
    await this.#ask({ produce: question });
  }

  async progress(): Promise<ProducingProgress> {
    return await this.#ask<ProducingProgress>({ progress: true });
  }

  /** What became of each message: costs the peer some time. */
  async report(): Promise<MessagingReport> {
    return await this.#ask<MessagingReport>({ report: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** One octet for each message: how often it came, or whether it was accepted. */
export function decodeCounts(base64: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64, 'base64'));
}
