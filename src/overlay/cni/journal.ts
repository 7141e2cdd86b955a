import { WeatherError } from '../../base/errors.ts';
import type { AttachmentKey } from './cni-environment.ts';
import type { Attachment } from './pod-network.ts';

/**
 * The journal of attachments: what is about to be done stands in it before it is done, so that a daemon that starts knows what to undo.
 * One record is one line of JSON. Records only follow from each other within one key:
 *
 *   adding ──► added ──► deleting ──► deleted (nothing is left of the key)
 *      └──────────────────────────────────▲
 */
export type JournalRecord =
  | { readonly record: 'adding'; readonly key: AttachmentKey; readonly network: string; readonly netns: string }
  | { readonly record: 'added'; readonly key: AttachmentKey; readonly attachment: Attachment }
  | { readonly record: 'deleting'; readonly key: AttachmentKey }
  | { readonly record: 'deleted'; readonly key: AttachmentKey };

/** Keeps records. What `append` has been given is on the disk when its promise resolves. Throws WeatherError. */
export interface AttachmentJournal {
  append(record: JournalRecord): Promise<void>;
}

/** Where an attachment stands. Neither `adding` nor `deleting` outlives a start of the daemon: both are deleted. */
export interface AttachmentState {
  readonly key: AttachmentKey;
  readonly phase: 'adding' | 'added' | 'deleting';
  /** The name in the configuration. */
  readonly network: string;
  readonly netns: string;
  /** What was made; absent while it is not known to be whole. */
  readonly attachment: Attachment | undefined;
}

/** One text for a key: neither part has a space in it. */
export function keyText({ containerId, ifname }: AttachmentKey): string {
  return `${containerId} ${ifname}`;
}

/** The states that follow from a journal, by `keyText`. */
export class AttachmentTable {
  readonly #states = new Map<string, AttachmentState>();

  constructor(records: Iterable<JournalRecord> = []) {
    for (const record of records) this.apply(record);
  }

  get size(): number {
    return this.#states.size;
  }

  get(key: AttachmentKey): AttachmentState | undefined {
    return this.#states.get(keyText(key));
  }

  states(): readonly AttachmentState[] {
    return [...this.#states.values()];
  }

  /** A record that does not follow from those before is as good as one that does: the last word about a key counts. */
  apply(record: JournalRecord): void {
    const text = keyText(record.key);
    const state = this.#states.get(text);
    if (record.record === 'deleted') this.#states.delete(text);
    else if (record.record === 'adding') {
      const { key, network, netns } = record;
      this.#states.set(text, { key, phase: 'adding', network, netns, attachment: undefined });
    } else if (state !== undefined) {
      this.#states.set(
        text,
        record.record === 'added' ? { ...state, phase: 'added', attachment: record.attachment } : { ...state, phase: 'deleting' },
      );
    }
  }

  /** The shortest journal from which the same states follow. */
  records(): readonly JournalRecord[] {
    return this.states().flatMap(({ key, phase, network, netns, attachment }) => [
      { record: 'adding' as const, key, network, netns },
      ...(attachment === undefined ? [] : [{ record: 'added' as const, key, attachment }]),
      ...(phase === 'deleting' ? [{ record: 'deleting' as const, key }] : []),
    ]);
  }
}

export function formatRecord(record: JournalRecord): string {
  return `${JSON.stringify(record)}\n`;
}

/**
 * Reads a journal. What stands behind the last end of a line was being written when the machine stopped, and is left out. Throws
 * WeatherError `cni-journal` when another line is no record.
 */
export function parseJournal(text: string): readonly JournalRecord[] {
  const lines = text.split('\n').slice(0, -1);
  return lines.map((line, index) => {
    const record = readRecord(line);
    if (record === undefined) {
      throw new WeatherError('cni-journal', `line ${index + 1} of the journal of attachments is damaged`, {
        remedy: 'move the journal away: what it told is found in the kernel, and deleted with the pods',
      });
    }
    return record;
  });
}

/** The program wrote it itself: what is checked is that it is whole. */
function readRecord(line: string): JournalRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  const record = value as Partial<JournalRecord> | null;
  if (typeof record !== 'object' || typeof record?.key?.containerId !== 'string' || typeof record.key.ifname !== 'string') return undefined;
  switch (record.record) {
    case 'adding':
      return typeof record.network === 'string' && typeof record.netns === 'string' ? (record as JournalRecord) : undefined;
    case 'added':
      return typeof record.attachment === 'object' ? (record as JournalRecord) : undefined;
    case 'deleting':
    case 'deleted':
      return record as JournalRecord;
    default:
      return undefined;
  }
}
