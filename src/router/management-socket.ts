import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { openLineServer } from '../host/line-server.ts';
import { LineSplitter } from '../management/line-splitter.ts';
import { lineLimitBytes, pendingRequestLimit } from '../management/management-protocol.ts';
import { answerLines, RouterManagement } from './management.ts';
import type { Router } from './router.ts';

export interface ManagementSocketOptions {
  /** Path of the unix socket; it gets mode 0600. */
  readonly path: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly version: string;
}

/** Answers management requests about a router on a unix socket until disposed. Throws WeatherError as `openLineServer` does. */
export async function serveManagement(router: Router, options: ManagementSocketOptions): Promise<AsyncDisposable> {
  const { path, clock, log, version } = options;
  const management = new RouterManagement(router, { clock, version });
  return openLineServer({
    path,
    newReader: () => new LineSplitter(lineLimitBytes),
    answer: answerLines((request) => management.handle(request), log),
    pendingLimit: pendingRequestLimit,
    log,
  });
}
