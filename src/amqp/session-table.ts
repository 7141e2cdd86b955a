import { ProtocolViolation } from '../base/errors.ts';
import type { Connection } from './connection.ts';
import { Condition } from './constants.ts';
import type { AmqpError, Begin } from './performatives.ts';
import { Session } from './session.ts';

/** Sessions (channels) of one connection; routers use 12 and one more for each kind of traffic. */
export const maxChannels = 256;

/** The sessions of one connection, by our channel and by the peer's, §2.5. */
export class SessionTable {
  readonly #connection: Connection;
  readonly #byChannel: (Session | undefined)[] = [];
  readonly #byRemoteChannel: (Session | undefined)[] = [];

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** The session that a frame of the peer belongs to. */
  remote(channel: number): Session {
    const session = this.#byRemoteChannel[channel];
    if (session !== undefined) return session;
    checkChannel(channel);
    throw new ProtocolViolation(Condition.notAllowed, `no session on channel ${channel}`);
  }

  /** Begins a session of ours. Throws when either side has no room. */
  begin(): Session {
    const session = this.#add();
    session.begin();
    return session;
  }

  #add(): Session {
    let channel = 0;
    while (this.#byChannel[channel] !== undefined) channel++;
    if (channel >= (this.#connection.options.limits?.sessions ?? maxChannels) || channel > (this.#connection.remoteOpen?.channelMax ?? 0)) {
      throw new ProtocolViolation(Condition.resourceLimitExceeded, `no room for more than ${channel} sessions`);
    }
    const session = new Session(this.#connection, channel);
    this.#byChannel[channel] = session;
    return session;
  }

  /** The peer's BEGIN: the answer to ours, or a session of its own. */
  remoteBegin(channel: number, begin: Begin): void {
    checkChannel(channel);
    if (this.#byRemoteChannel[channel] !== undefined) {
      throw new ProtocolViolation(Condition.illegalState, `channel ${channel} is in use`);
    }
    if (begin.remoteChannel >= 0) {
      const session = this.#byChannel[begin.remoteChannel];
      if (session === undefined || session.remoteChannel >= 0) {
        throw new ProtocolViolation(Condition.invalidField, 'BEGIN answers a session that was not begun');
      }
      this.#byRemoteChannel[channel] = session;
      session.remoteBegin(begin, channel);
      return;
    }
    const session = this.#add();
    this.#byRemoteChannel[channel] = session;
    session.remoteBegin(begin, channel);
    session.begin();
  }

  /** The peer's END: both channels are free afterwards. */
  remoteEnd(channel: number, error: AmqpError | undefined): void {
    const session = this.remote(channel);
    this.#byRemoteChannel[channel] = undefined;
    session.remoteEnd(error);
    this.#byChannel[session.channel] = undefined;
  }

  renewWindows(): void {
    for (const session of this.#byChannel) session?.renewWindow();
  }

  /** The connection is over. */
  lost(): void {
    for (const session of this.#byChannel) session?.lost();
  }
}

/** §2.7.1: a channel above channel-max is a framing error. */
function checkChannel(channel: number): void {
  if (channel >= maxChannels) throw new ProtocolViolation(Condition.framingError, `channel ${channel} is above channel-max`);
}
