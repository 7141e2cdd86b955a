import type { Logger } from '../base/log.ts';
import { FailedTries } from '../host/failed-tries.ts';
import { LoginCodes } from './web-login-codes.ts';
import { passwordMaxLength } from './web-passwords.ts';
import type { PasswordMatch, Passwords } from './web-passwords.ts';
import type { Session } from './web-sessions.ts';

/** Wrong passwords of all clients together. Guessing from many addresses gets no further; links work all the same. */
const maxFailuresPerMinuteInTotal = 60;
const windowMs = 60_000;
/** Each check takes 128 MiB and half a second of a core: one after the other, and not more waiting than this. */
const maxWaitingChecks = 4;
/** User of sessions that were opened by a link. No user of a password can have the name. */
export const linkUser = 'login link';

export type LoginOutcome =
  | { readonly outcome: 'granted'; readonly login: Pick<Session, 'user' | 'how' | 'passwordMark' | 'remoteAddress'> }
  /** One answer for everything that is wrong, so that it tells nothing. */
  | { readonly outcome: 'refused' }
  | { readonly outcome: 'later' }
  | { readonly outcome: 'malformed' };

/** Decides who may open a session: the bearer of a code of a login link, or a user with a password. */
export class Login {
  readonly codes: LoginCodes;
  readonly #passwords: Passwords;
  readonly #log: Logger;
  readonly #nowMs: () => number;
  readonly #failedTries: FailedTries;
  #failuresMs: number[] = [];
  #checking: Promise<unknown> = Promise.resolve();
  #waitingChecks = 0;

  constructor(passwords: Passwords, log: Logger, nowMs: () => number) {
    this.codes = new LoginCodes(nowMs);
    this.#passwords = passwords;
    this.#log = log;
    this.#nowMs = nowMs;
    this.#failedTries = new FailedTries(nowMs);
  }

  /** `body` is what was sent: `{code}` or `{user, password}`. */
  async attempt(body: unknown, remoteAddress: string): Promise<LoginOutcome> {
    const { code, user, password } = (typeof body === 'object' && body !== null ? body : {}) as Readonly<Record<string, unknown>>;
    if (typeof code === 'string') return this.#attemptCode(code, remoteAddress);
    if (typeof user !== 'string' || typeof password !== 'string') return { outcome: 'malformed' };
    if (password.length > passwordMaxLength) return { outcome: 'malformed' };
    return this.#attemptPassword(user, password, remoteAddress);
  }

  /** A right code is taken whatever others tried: it cannot be guessed, and nobody can keep its owner out. */
  #attemptCode(code: string, remoteAddress: string): LoginOutcome {
    if (this.codes.redeem(code)) {
      return { outcome: 'granted', login: { user: linkUser, how: 'link', passwordMark: '', remoteAddress } };
    }
    if (this.#failedTries.isBlocked(remoteAddress)) return { outcome: 'later' };
    this.#failed(remoteAddress, 'link');
    return { outcome: 'refused' };
  }

  async #attemptPassword(user: string, password: string, remoteAddress: string): Promise<LoginOutcome> {
    if (this.#isBlocked(remoteAddress) || this.#waitingChecks >= maxWaitingChecks) return { outcome: 'later' };
    this.#waitingChecks++;
    const check = this.#checking.then(async (): Promise<PasswordMatch | undefined | 'later'> => {
      // Those in front may have used the tries up.
      if (this.#isBlocked(remoteAddress)) return 'later';
      return this.#passwords.check(user, password);
    });
    this.#checking = check.catch(() => undefined);
    try {
      const match = await check;
      if (match === 'later') return { outcome: 'later' };
      if (match === undefined) {
        this.#failed(remoteAddress, 'password');
        this.#failuresMs.push(this.#nowMs());
        return { outcome: 'refused' };
      }
      return { outcome: 'granted', login: { user, how: 'password', passwordMark: match.mark, remoteAddress } };
    } finally {
      this.#waitingChecks--;
    }
  }

  #isBlocked(remoteAddress: string): boolean {
    const since = this.#nowMs() - windowMs;
    this.#failuresMs = this.#failuresMs.filter((atMs) => atMs > since);
    return this.#failuresMs.length >= maxFailuresPerMinuteInTotal || this.#failedTries.isBlocked(remoteAddress);
  }

  /** Without the name that was typed: people type passwords there. */
  #failed(remoteAddress: string, how: 'link' | 'password'): void {
    this.#failedTries.add(remoteAddress);
    this.#log.warn('login refused', { how, remoteAddress });
  }
}
