import { readEnvironment, type CniEnvironment } from './cni-environment.ts';
import { cniCode, CniError } from './cni-error.ts';
import { invalid, objectOf, parseObject, textOf, type JsonObject } from './json.ts';

/**
 * The plugin and the daemon talk in one message each way over a stream. Lengths are in network order and count what follows them.
 *
 *   u32 length | {"env":{"CNI_COMMAND":"ADD",...},"config":"what came on standard input"}
 *   u32 length | u8 exit status | text for standard output
 */

/** Longest request: `cni/caravan-cni.c` sends no longer one. A usual one has 2 KiB. */
export const requestLimit: number = 2 * 1024 * 1024;
/** Longest text of a reply: the plugin takes no longer one. */
export const replyTextLimit: number = 1024 * 1024;

const lengthBytes = 4;

export interface CniReply {
  readonly exitStatus: 0 | 1;
  /** For the standard output of the plugin. */
  readonly text: string;
}

/** Gathers the one request of a connection. Memory follows what has come, not what was announced. */
export class RequestReader {
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  /** The request's text as octets, its own, when it is whole. Throws CniError when it is, or says it is, too long. */
  receive(bytes: Uint8Array): Uint8Array | undefined {
    this.#parts.push(bytes);
    this.#length += bytes.length;
    if (this.#length < lengthBytes) return undefined;
    const header = this.#first(lengthBytes);
    const length = new DataView(header.buffer).getUint32(0);
    if (length > requestLimit || this.#length > lengthBytes + length) {
      throw new CniError(cniCode.decodingFailure, 'the request is longer than it may be');
    }
    if (this.#length < lengthBytes + length) return undefined;
    return this.#first(this.#length).subarray(lengthBytes);
  }

  #first(length: number): Uint8Array<ArrayBuffer> {
    const joined = new Uint8Array(length);
    let at = 0;
    for (const part of this.#parts) {
      if (at === length) break;
      const taken = part.subarray(0, length - at);
      joined.set(taken, at);
      at += taken.length;
    }
    return joined;
  }
}

export function encodeReply({ exitStatus, text }: CniReply): Uint8Array<ArrayBuffer> {
  const body = new TextEncoder().encode(text);
  const bytes = new Uint8Array(lengthBytes + 1 + body.length);
  new DataView(bytes.buffer).setUint32(0, 1 + body.length);
  bytes[lengthBytes] = exitStatus;
  bytes.set(body, lengthBytes + 1);
  return bytes;
}

export interface CniRequest {
  readonly environment: CniEnvironment;
  /** The configuration as JSON; VERSION may come without. */
  readonly config: JsonObject;
}

/** Throws CniError. `seen` is told the version that errors are to be said in, as soon as it is known. */
export function readRequest(bytes: Uint8Array, seen: (cniVersion: unknown) => void): CniRequest {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new CniError(cniCode.decodingFailure, 'the environment or the configuration is not UTF-8', '', { cause });
  }
  const message = parseObject(text, 'the request');
  const env = objectOf(message, 'env');
  const configText = textOf(message, 'config');
  if (env === undefined || configText === undefined) throw invalid('env and config', 'there');
  const isEmpty = configText.trim() === '';
  const isVersion = env['CNI_COMMAND'] === 'VERSION';
  const config = isEmpty && isVersion ? {} : parseObject(configText, 'the network configuration');
  seen(config['cniVersion']);
  return { environment: readEnvironment(env), config };
}
