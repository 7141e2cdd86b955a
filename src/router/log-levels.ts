import type { LogThreshold } from '../host/log-filter.ts';
import type { LogEntity } from '../management/entities.ts';

/** Which of this router's log components a module of skupper-router stands for; modules without one have nothing to say here. */
const components: Readonly<Record<string, string>> = {
  DEFAULT: '',
  ROUTER: 'router',
  ROUTER_CORE: 'router',
  ROUTER_HELLO: 'router',
  ROUTER_LS: 'router',
  ROUTER_MA: 'router',
  CONN_MGR: 'link',
  SERVER: 'link',
  TCP_ADAPTOR: 'tcp',
};

const levels: readonly [RegExp, LogThreshold][] = [
  [/trace|debug/, 'debug'],
  [/info|notice/, 'info'],
  [/warning/, 'warn'],
  [/error|critical/, 'error'],
  [/none/, 'none'],
];

/**
 * The levels that log entities ask for, by component. `enable` names levels (`info+`, `debug,warning+`); here a component logs from one
 * level on, so the lowest named counts. The last entity of a component wins.
 */
export function logLevels(logs: readonly LogEntity[]): ReadonlyMap<string, LogThreshold> {
  const result = new Map<string, LogThreshold>();
  for (const { module, enable } of logs) {
    const component = components[module];
    const level = enable === undefined ? undefined : levels.find(([pattern]) => pattern.test(enable))?.[1];
    if (component !== undefined && level !== undefined) result.set(component, level);
  }
  return result;
}
