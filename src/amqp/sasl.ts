import { ProtocolViolation } from '../base/errors.ts';
import { Condition, Descriptor } from './constants.ts';
import { maxNameLength } from './performative-fields.ts';
import type { AmqpError } from './performative-fields.ts';
import type { ValueReader } from './value-reader.ts';
import type { ValueWriter } from './value-writer.ts';

/**
 * SASL, part 5.3, over frames of type 1:
 *
 *     server: sasl-mechanisms [array of symbol]
 *     client: sasl-init       mechanism symbol, initial-response binary, hostname string
 *     server: sasl-outcome    code ubyte (0 ok, 1 authentication failed)
 */
export type SaslMechanism = 'EXTERNAL' | 'ANONYMOUS' | 'PLAIN';

/** Longest initial response that is read: PLAIN carries two names and a password. */
const maxResponseLength = 4096;

export interface SaslClientOptions {
  /** In order of preference; the first that the server offers is used. */
  readonly mechanisms: readonly SaslMechanism[];
  readonly username?: string;
  readonly password?: string;
}

export interface SaslServerOptions {
  readonly mechanisms: readonly SaslMechanism[];
  /** The TLS layer has verified the client's certificate: EXTERNAL is offered and succeeds only then. */
  readonly externallyAuthenticated: boolean;
  /** Checks the name and password of PLAIN; without it PLAIN fails. */
  readonly verifyPlain?: (username: string, password: string) => boolean;
}

export interface SaslInit {
  readonly mechanism: string;
  readonly response: Uint8Array;
}

export function encodeMechanisms(writer: ValueWriter, options: SaslServerOptions): void {
  writer.descriptor(Descriptor.saslMechanisms);
  writer.list();
  writer.symbolArray(offeredMechanisms(options));
  writer.end(1);
}

function offeredMechanisms(options: SaslServerOptions): readonly SaslMechanism[] {
  return options.mechanisms.filter((mechanism) => mechanism !== 'EXTERNAL' || options.externallyAuthenticated);
}

export function decodeMechanisms(reader: ValueReader): readonly string[] {
  if (reader.enterList() < 1) throw new ProtocolViolation(Condition.decodeError, 'sasl-mechanisms is empty');
  const value = reader.readValue();
  if (typeof value === 'string') return [value];
  if (!Array.isArray(value)) throw new ProtocolViolation(Condition.decodeError, 'sasl-mechanisms must be symbols');
  return value.filter((mechanism) => typeof mechanism === 'string');
}

/** Chooses and encodes the answer to the server's mechanisms; undefined if none fits. */
export function encodeInit(
  writer: ValueWriter,
  offered: readonly string[],
  options: SaslClientOptions,
  hostname: string | null,
): SaslMechanism | undefined {
  const mechanism = options.mechanisms.find((candidate) => offered.includes(candidate));
  if (mechanism === undefined) return undefined;
  writer.descriptor(Descriptor.saslInit);
  writer.list();
  writer.symbol(mechanism);
  const encoder = new TextEncoder();
  if (mechanism === 'PLAIN') writer.binary(encoder.encode(`\0${options.username ?? ''}\0${options.password ?? ''}`));
  else writer.binary(encoder.encode(mechanism === 'ANONYMOUS' ? 'anonymous' : ''));
  if (hostname === null) writer.null();
  else writer.string(hostname);
  writer.end(3);
  return mechanism;
}

export function decodeInit(reader: ValueReader): SaslInit {
  const count = reader.enterList();
  if (count < 1) throw new ProtocolViolation(Condition.decodeError, 'sasl-init is empty');
  const mechanism = reader.readText(maxNameLength);
  let response: Uint8Array = new Uint8Array(0);
  if (count > 1 && !reader.skipNull()) {
    const length = reader.skipBinary();
    if (length > maxResponseLength) throw new ProtocolViolation(Condition.resourceLimitExceeded, 'initial response is too long');
    response = reader.bytes.slice(reader.position - length, reader.position);
  }
  return { mechanism, response };
}

/** Whether the client's init is accepted. */
function authenticate(init: SaslInit, options: SaslServerOptions): boolean {
  if (!offeredMechanisms(options).some((mechanism) => mechanism === init.mechanism)) return false;
  if (init.mechanism !== 'PLAIN') return true;
  // RFC 4616: [authorization id] NUL authentication id NUL password
  let parts: readonly string[];
  try {
    parts = new TextDecoder('utf-8', { fatal: true }).decode(init.response).split('\0');
  } catch {
    return false;
  }
  const [, username, password] = parts;
  return parts.length === 3 && username !== undefined && password !== undefined && (options.verifyPlain?.(username, password) ?? false);
}

function encodeOutcome(writer: ValueWriter, accepted: boolean): void {
  writer.descriptor(Descriptor.saslOutcome);
  writer.list();
  writer.ubyte(accepted ? 0 : 1);
  writer.end(1);
}

export function decodeOutcome(reader: ValueReader): number {
  if (reader.enterList() < 1) throw new ProtocolViolation(Condition.decodeError, 'sasl-outcome is empty');
  const code = reader.readValue();
  if (typeof code !== 'number') throw new ProtocolViolation(Condition.decodeError, 'sasl-outcome must be a number');
  return code;
}

/** The exchange of SASL frames on one connection, after the protocol headers and (on the server) the mechanisms. */
export class SaslExchange {
  readonly #options: { readonly client: SaslClientOptions } | { readonly server: SaslServerOptions };
  readonly #hostname: string | null;
  #initSent = false;
  /** Authentication has succeeded. */
  done = false;

  constructor(options: { readonly client: SaslClientOptions } | { readonly server: SaslServerOptions }, hostname: string | null) {
    this.#options = options;
    this.#hostname = hostname;
  }

  /** Handles one frame and leaves the answer in `writer`, if there is one. Returns why the connection ends, or undefined. */
  frame(reader: ValueReader, writer: ValueWriter): AmqpError | undefined {
    const descriptor = reader.readDescriptor();
    const options = this.#options;
    if ('server' in options) {
      if (descriptor !== Descriptor.saslInit) throw new ProtocolViolation(Condition.illegalState, 'sasl-init is expected');
      this.done = authenticate(decodeInit(reader), options.server);
      encodeOutcome(writer, this.done);
      return this.done ? undefined : unauthorized('the client could not be authenticated');
    }
    if (descriptor === Descriptor.saslMechanisms && !this.#initSent) {
      const offered = decodeMechanisms(reader);
      this.#initSent = true;
      if (encodeInit(writer, offered, options.client, this.#hostname) !== undefined) return undefined;
      return unauthorized(`the peer offers only the SASL mechanisms ${offered.join(', ')}`);
    }
    if (descriptor === Descriptor.saslOutcome && this.#initSent) {
      const code = decodeOutcome(reader);
      this.done = code === 0;
      return this.done ? undefined : unauthorized(`the peer refused authentication (code ${code})`);
    }
    throw new ProtocolViolation(Condition.illegalState, 'sasl-mechanisms and then sasl-outcome are expected');
  }
}

function unauthorized(description: string): AmqpError {
  return { condition: Condition.unauthorizedAccess, description };
}
