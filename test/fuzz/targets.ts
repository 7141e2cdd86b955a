import { amqpTargets } from './amqp-targets.ts';
import type { FuzzTarget } from './target.ts';

/** Every decoder of input from outside has a target here. */
export const targets: readonly FuzzTarget[] = [...amqpTargets];
