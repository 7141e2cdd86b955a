import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drain, type Leaving } from './drain.ts';

/** A router in virtual time: `each` is called at each pause. */
class Router implements Leaving {
  readonly done: string[] = [];
  linked = true;
  open = 0;
  taken = 0;
  underWay = 0;
  begun = 0;
  #nowMs = 0;
  readonly #each: (router: Router, nowMs: number) => void;

  constructor(each: (router: Router, nowMs: number) => void = (): void => {}) {
    this.#each = each;
  }

  readonly hasLinks = (): boolean => this.linked;
  readonly openConnections = (): number => this.open;
  readonly connectionsTaken = (): number => this.taken;
  readonly streams = (): number => this.underWay;
  readonly streamsBegun = (): number => this.begun;

  nowMs(): number {
    return this.#nowMs;
  }

  async pause(durationMs: number): Promise<void> {
    assert.ok(durationMs >= 1);
    this.#nowMs += durationMs;
    this.#each(this, this.#nowMs);
  }

  announce(): void {
    this.done.push(`announced ${this.#nowMs}`);
  }

  stopAccepting(): void {
    this.done.push(`stopped accepting ${this.#nowMs}`);
  }

  async leave(deadlineMs: number): Promise<readonly string[]> {
    await drain(this, deadlineMs);
    return [...this.done, `left ${this.#nowMs}`];
  }
}

test('a router that nothing passes through leaves when the news has been around and it has been quiet', async () => {
  assert.deepEqual(await new Router().leave(30_000), ['announced 0', 'stopped accepting 500', 'left 700']);
});

test('without links there is nobody to wait for', async () => {
  const router = new Router();
  router.linked = false;
  assert.deepEqual(await router.leave(30_000), ['announced 0', 'stopped accepting 0', 'left 0']);
});

test('without time it leaves at once', async () => {
  const router = new Router();
  router.open = 3;
  assert.deepEqual(await router.leave(0), ['announced 0', 'stopped accepting 0', 'left 0']);
});

test('latecomers are served, but not for ever', async () => {
  const late = new Router((router, nowMs) => {
    if (nowMs <= 1_000) router.taken++;
  });
  assert.deepEqual((await late.leave(30_000))[1], 'stopped accepting 1260');
  const endless = new Router((router) => router.taken++);
  assert.deepEqual((await endless.leave(30_000))[1], 'stopped accepting 3000');
});

test('open connections and passing streams may end until the deadline', async () => {
  const ending = new Router((router, nowMs) => {
    router.open = nowMs < 4_000 ? 1 : 0;
    router.underWay = nowMs < 8_000 ? 1 : 0;
  });
  assert.deepEqual((await ending.leave(30_000)).at(-1), 'left 8180');
  const open = new Router();
  open.open = 1;
  assert.deepEqual((await open.leave(9_999)).at(-1), 'left 9999');
  const passing = new Router();
  passing.underWay = 1;
  assert.deepEqual((await passing.leave(9_999)).at(-1), 'left 9999');
});

test('those who go on beginning streams when everybody knows have no other way, and are not waited for', async () => {
  const router = new Router((leaving) => {
    leaving.underWay = 5;
    leaving.begun++;
  });
  assert.deepEqual((await router.leave(30_000)).at(-1), 'left 6500');
});
