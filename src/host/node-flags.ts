/**
 * What a process that routes is started with (the launcher `van` has the same): room for the collector. Every read brings a new buffer;
 * with V8's own start values the old generation is collected some ten times a second under load, which costs a fifth of the time.
 *
 * No memory reducer: seconds after a process comes to rest it collects everything twice, and with that drops optimised code and what V8 knew
 * of the objects that come and go with each request; the next requests cost two to three times as much for seconds. Memory that is worth it
 * is given back by `IdleCollector`.
 */
export const nodeFlags: readonly string[] = ['--initial-old-space-size=128', '--max-semi-space-size=16', '--no-memory-reducer'];
