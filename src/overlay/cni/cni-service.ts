import { assert, WeatherError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { AttachmentKey, CniEnvironment } from './cni-environment.ts';
import { cniCode, CniError } from './cni-error.ts';
import { readRequest, replyTextLimit, type CniReply, type CniRequest } from './cni-request.ts';
import { disagreement, formatResult } from './cni-result.ts';
import { isAtLeast110, latestVersion, supportedVersions } from './cni-version.ts';
import { AttachmentTable, keyText, type AttachmentJournal, type JournalRecord } from './journal.ts';
import type { JsonObject } from './json.ts';
import { readNetworkConfig, type NetworkConfig } from './network-config.ts';
import { withArguments } from './pod-labels.ts';
import { podNameOf } from './pod-name.ts';
import type { PodNetwork } from './pod-network.ts';
import { Turns } from './turns.ts';

/**
 * The commands of CNI over a network of pods.
 *
 *   request ──► read ──► in turn by (container, interface) ──► journal: intent ──► PodNetwork ──► journal: done ──► reply
 *
 * What fails half way is deleted before the reply; what cannot be deleted stays in the journal, for DEL, GC and `recover`.
 */

export interface CniServiceOptions {
  readonly network: PodNetwork;
  readonly journal: AttachmentJournal;
  /** What the journal told at the start. */
  readonly records?: Iterable<JournalRecord>;
  readonly log: Logger;
}

/** Most attachments of a host: its map of ports has as many records. */
const attachmentLimit = 4096;
/** Deletions of one GC at a time: enough to fill batches, few enough that ADDs of others get their turn. */
const collectionWidth = 16;
/** Errors that the reply of one GC tells; the rest is counted. */
const toldErrorLimit = 20;
/** Longest message and longest details of an error. */
const errorTextLimit = 16 * 1024;

export class CniService {
  readonly #network: PodNetwork;
  readonly #journal: AttachmentJournal;
  readonly #log: Logger;
  readonly #table: AttachmentTable;
  readonly #turns = new Turns();
  /** ADDs under way by what they were asked with: one that comes again gets the same answer. */
  readonly #adding = new Map<string, Promise<CniReply>>();

  constructor({ network, journal, records = [], log }: CniServiceOptions) {
    this.#network = network;
    this.#journal = journal;
    this.#log = log;
    this.#table = new AttachmentTable(records);
  }

  /** The shortest journal that tells what is attached now. For who keeps the journal small, between two `append`s. */
  records(): readonly JournalRecord[] {
    return this.#table.records();
  }

  /** Deletes what was begun and not finished before this start. What cannot be deleted is told, and remains for DEL and GC. */
  async recover(): Promise<readonly CniError[]> {
    const unfinished = this.#table.states().filter(({ phase }) => phase !== 'added');
    return this.#deleteAll(
      unfinished.map(({ key }) => key),
      (key) => this.#table.get(key)?.phase !== 'added',
    );
  }

  /** Answers one request. Never rejects. */
  async handle(bytes: Uint8Array): Promise<CniReply> {
    let version: string = latestVersion;
    let call: CniRequest | undefined;
    try {
      call = readRequest(bytes, (given) => (version = supportedVersions.find((known) => known === given) ?? version));
      return await this.#answer(call);
    } catch (error) {
      const failure = asCniError(error);
      const fields = { command: call?.environment.command, ...call?.environment.key, code: failure.code, details: failure.details };
      if (failure.code === cniCode.internal) this.#log.error('a CNI call failed by a bug', { ...fields, cause: failure.cause });
      else this.#log.warn(failure.message, fields);
      return replyOf(1, { cniVersion: version, code: failure.code, msg: shortened(failure.message), details: shortened(failure.details) });
    }
  }

  async #answer({ environment, config: fields }: CniRequest): Promise<CniReply> {
    const { command, key } = environment;
    if (command === 'VERSION') {
      const asked = fields['cniVersion'];
      const cniVersion = typeof asked === 'string' && /^[0-9.]{1,15}$/.test(asked) ? asked : latestVersion;
      return replyOf(0, { cniVersion, supportedVersions });
    }
    const config = readNetworkConfig(fields);
    if (command === 'STATUS' || command === 'GC') {
      if (!isAtLeast110(config.cniVersion)) {
        throw new CniError(cniCode.incompatibleVersion, `${command} exists from cniVersion 1.1.0 on, not in ${config.cniVersion}`);
      }
      await (command === 'STATUS' ? this.#status() : this.#collect(config));
      return silence;
    }
    assert(key !== undefined, `${command} without a key`);
    if (command === 'ADD') return this.#addOnce(key, environment, config);
    await this.#turns.run(keyText(key), () => (command === 'DEL' ? this.#delete(key) : this.#check(key, config)));
    return silence;
  }

  #addOnce(key: AttachmentKey, environment: CniEnvironment, config: NetworkConfig): Promise<CniReply> {
    const asked = JSON.stringify([key, environment.netns, [...environment.parameters], config.fields]);
    const same = this.#adding.get(asked);
    if (same !== undefined) return same;
    const reply = this.#turns.run(keyText(key), () => this.#add(key, environment, config)).finally(() => this.#adding.delete(asked));
    this.#adding.set(asked, reply);
    return reply;
  }

  async #add(key: AttachmentKey, { netns = '', pod, parameters }: CniEnvironment, config: NetworkConfig): Promise<CniReply> {
    const state = this.#table.get(key);
    if (state?.phase === 'added') {
      throw new CniError(cniCode.attachmentExists, `${key.ifname} of this container exists already`, 'delete it before it is added again');
    }
    // What an attempt before this one left, and could not delete.
    if (state !== undefined) await this.#delete(key);
    if (this.#table.size >= attachmentLimit) throw new CniError(cniCode.tryAgain, `this host has ${attachmentLimit} attachments already`);

    const { name, vpc, subnet, previous, dns, cniVersion } = config;
    const wanted = parameters.get('IP');
    const addresses = config.addresses.length > 0 || wanted === undefined ? config.addresses : wanted.split(',');
    await this.#record({ record: 'adding', key, network: name, netns });
    try {
      const mac = config.mac ?? parameters.get('MAC');
      const labels = withArguments(config.labels, parameters);
      const podName = podNameOf(config.podName, pod, parameters);
      const attachment = await this.#network.add({ key, netns, pod, vpc, subnet, addresses, mac, labels, name: podName });
      await this.#record({ record: 'added', key, attachment });
      return replyOf(0, formatResult(cniVersion, attachment, netns, previous, dns));
    } catch (error) {
      await this.#undo(key);
      throw error;
    }
  }

  /** The runtime is told why ADD failed, not why its remains are still there: it deletes again by itself. */
  async #undo(key: AttachmentKey): Promise<void> {
    try {
      await this.#delete(key);
    } catch (error) {
      this.#log.warn('what a failed ADD left could not be deleted yet', { ...key, reason: asCniError(error).message });
    }
  }

  async #delete(key: AttachmentKey): Promise<void> {
    const state = this.#table.get(key);
    // The record of an ADD that is not finished says already that this is to be deleted.
    if (state?.phase === 'added') await this.#record({ record: 'deleting', key });
    await this.#network.delete(key);
    if (state !== undefined) await this.#record({ record: 'deleted', key });
  }

  async #check(key: AttachmentKey, { previous }: NetworkConfig): Promise<void> {
    const state = this.#table.get(key);
    if (previous === undefined) throw new CniError(cniCode.invalidConfig, "CHECK needs 'prevResult'");
    if (state?.attachment === undefined || state.phase !== 'added') {
      throw new CniError(cniCode.unknownContainer, `${key.ifname} of this container is not attached`);
    }
    const problem = disagreement(previous, state.attachment, state.netns);
    if (problem !== undefined) throw new CniError(cniCode.checkFailed, problem);
    await this.#network.check(key, state.netns, state.attachment);
  }

  async #status(): Promise<void> {
    const status = await this.#network.status();
    if (status.ready) return;
    throw new CniError(status.containers === 'limited' ? cniCode.limitedConnectivity : cniCode.notAvailable, status.reason);
  }

  /** Deletes what belongs to this network, or to nobody, and is not to be kept. What is added meanwhile is left alone. */
  async #collect({ name, validAttachments }: NetworkConfig): Promise<void> {
    if (validAttachments === undefined) throw new CniError(cniCode.invalidConfig, "GC needs 'cni.dev/valid-attachments'");
    const kept = new Set(validAttachments.map(keyText));
    const states = new Map(this.#table.states().map((state) => [keyText(state.key), state]));
    const keys = new Map([...states].map(([text, { key }]) => [text, key]));
    for (const key of await this.#network.list()) keys.set(keyText(key), key);
    const stale = [...keys].flatMap(([text, key]) => {
      const belongsHere = (states.get(text)?.network ?? name) === name;
      return kept.has(text) || !belongsHere ? [] : [key];
    });
    // What has changed since the runtime said what it has is not what it spoke of.
    const failures = await this.#deleteAll(stale, (key) => this.#table.get(key) === states.get(keyText(key)));
    if (failures.length === 0) return;
    const told = failures.slice(0, toldErrorLimit).map(({ message }) => message);
    const rest = failures.length > told.length ? [`and ${failures.length - told.length} more`] : [];
    throw new CniError(
      cniCode.incompleteCollection,
      `${failures.length} of ${stale.length} could not be deleted`,
      [...told, ...rest].join('; '),
    );
  }

  /** Deletes those that are `due` when their turn comes. */
  async #deleteAll(keys: readonly AttachmentKey[], due: (key: AttachmentKey) => boolean): Promise<readonly CniError[]> {
    const failures: CniError[] = [];
    const waiting = keys.values();
    const worker = async (): Promise<void> => {
      for (const key of waiting) {
        try {
          await this.#turns.run(keyText(key), async () => {
            if (due(key)) await this.#delete(key);
          });
        } catch (error) {
          const { code, message, details } = asCniError(error);
          failures.push(new CniError(code, `${key.containerId} ${key.ifname}: ${message}`, details, { cause: error }));
        }
      }
    };
    await Promise.all(Array.from({ length: collectionWidth }, worker));
    return failures;
  }

  /** On the disk first, then in the table: the table never says more than the journal. */
  async #record(record: JournalRecord): Promise<void> {
    await this.#journal.append(record);
    this.#table.apply(record);
  }
}

const silence: CniReply = { exitStatus: 0, text: '' };

function replyOf(exitStatus: 0 | 1, value: JsonObject): CniReply {
  const text = `${JSON.stringify(value)}\n`;
  // In octets a text of JSON is at most three times as long as in units, so this never cuts what fits.
  if (text.length * 3 <= replyTextLimit || new TextEncoder().encode(text).length <= replyTextLimit) return { exitStatus, text };
  throw new CniError(cniCode.invalidConfig, 'the result is larger than 1 MiB');
}

function shortened(text: string): string {
  return text.slice(0, errorTextLimit);
}

/** What the runtime is told of a failure. */
function asCniError(error: unknown): CniError {
  if (error instanceof CniError) return error;
  if (error instanceof WeatherError) {
    const details = error.remedy === undefined ? error.code : `${error.code}: ${error.remedy}`;
    return new CniError(cniCode.ioFailure, error.message, details, { cause: error });
  }
  return new CniError(cniCode.internal, 'the daemon failed; its log says more', '', { cause: error });
}
