import type { SignedRecord } from './signed-record.ts';

/** What the body of a routing message may hold: the AMQP types the protocol uses, as plain data. Octets only in REC and SUM. */
export type ControlValue = null | boolean | number | string | Uint8Array | readonly ControlValue[] | ControlMap;
export type ControlMap = ReadonlyMap<string, ControlValue>;

/**
 * One message of the routing protocol, free of its encoding. The carrier (src/router) decodes it from and encodes it to AMQP:
 * router annotations (`ingress`, `trace`), properties (`to`), application-properties (`opcode`) and an amqp-value map (`body`).
 */
export interface ControlMessage {
  /** `amqp:/_local/qdhello`, `amqp:/_topo/0/all/qdrouter`, `amqp:/_topo/0/<id>/qdrouter`, the same with `qdrouter.ma`; scheme optional. */
  readonly to: string;
  /** HELLO, RA, LSR, LSU, MAR, MAU, and REC and SUM between routers that sign; others are forwarded, not understood. */
  readonly opcode: string;
  readonly body: ControlMap;
  /** Router annotation: `0/<router id>` of the router that made the message; null when absent. */
  readonly ingress: string | null;
  /** Router annotation: `0/<id>` of each router passed, the maker first. Each router appends itself when it sends. */
  readonly trace: readonly string[];
  /**
   * The carrier's encoded form of everything after the router annotations, so that a message in transit goes on byte for byte even
   * where this router does not understand it. Absent in messages made here. Routing passes it on and never looks inside.
   */
  readonly encoded?: Uint8Array;
  /**
   * The records of REC, so that they need not be parsed where they are not carried over a wire: on one they are the list `records` in the
   * body.
   */
  readonly records?: readonly SignedRecord[];
}
