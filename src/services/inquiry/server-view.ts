import { numberField, recordsField, textField } from './inquiry-message.ts';
import type { InquiryFields } from './inquiry-message.ts';

/**
 * A router tries its servers of an address and tells whether they accept connections, at its address `servers`. Only routers that may send to
 * the address are answered: they could open the connections themselves.
 *
 *     question {"address": text}
 *     answer   {"servers": [{"type": text, "connectMs": number} | {"type": text, "failure": text} | {"type": text}, ...]}
 *
 * Without either, nobody can tell: a server of UDP, or one that is started when it is needed.
 */
export const serversName = 'servers';

/** Servers of one address that one router tries. */
export const maxTriedServers = 8;

export interface TriedServer {
  /** Entity type of the connector, such as tcpConnector. */
  readonly type: string;
  /** How long the server took to accept a connection; undefined when it did not, or was not tried. */
  readonly connectMs: number | undefined;
  /** Why it did not; undefined when it did, or was not tried. */
  readonly failure: string | undefined;
}

export function triedServersFields(servers: readonly TriedServer[]): InquiryFields {
  return new Map([
    [
      'servers',
      servers.map(
        ({ type, connectMs, failure }) =>
          new Map<string, string | number>([
            ['type', type],
            ...(connectMs === undefined ? [] : [['connectMs', connectMs] as const]),
            ...(failure === undefined ? [] : [['failure', failure] as const]),
          ]),
      ),
    ],
  ]);
}

export function readTriedServers(body: InquiryFields): readonly TriedServer[] {
  return recordsField(body, 'servers', maxTriedServers).map((server) => ({
    type: textField(server, 'type', 64) ?? '',
    connectMs: numberField(server, 'connectMs'),
    failure: textField(server, 'failure', 1024),
  }));
}
