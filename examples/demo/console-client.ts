import type { NetworkSnapshot } from '../../src/flows/network-snapshot.ts';

const requestTimeoutMs = 10_000;

/** What the console's pages read, read by a program: logs in with a link as a browser does. */
export class ConsoleClient {
  readonly #origin: string;
  readonly #cookie: string;

  private constructor(origin: string, cookie: string) {
    this.#origin = origin;
    this.#cookie = cookie;
  }

  /** `link` is what `van console` printed. */
  static async logIn(link: string): Promise<ConsoleClient> {
    const { origin, hash } = new URL(link);
    const response = await fetch(`${origin}/api/v1/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin },
      body: JSON.stringify({ code: hash.replace('#code=', '') }),
      signal: AbortSignal.timeout(requestTimeoutMs),
    });
    const [cookie = ''] = response.headers.getSetCookie();
    if (response.status !== 200) throw new Error(`the console answered the login with status ${response.status}: ${await response.text()}`);
    return new ConsoleClient(origin, cookie.split(';')[0] ?? '');
  }

  /** The network as the console shows it, with rates and shares of the last `windowSeconds`. */
  async network(windowSeconds: number): Promise<NetworkSnapshot> {
    const response = await fetch(`${this.#origin}/api/v1/network?window=${windowSeconds}s`, {
      headers: { cookie: this.#cookie },
      signal: AbortSignal.timeout(requestTimeoutMs),
    });
    if (response.status !== 200) throw new Error(`the console answered with status ${response.status}: ${await response.text()}`);
    return (await response.json()) as NetworkSnapshot;
  }
}
