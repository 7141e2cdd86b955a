/** Codes of the CNI specification; from 100 on they are this plugin's own. */
export const cniCode = {
  incompatibleVersion: 1,
  unsupportedField: 2,
  unknownContainer: 3,
  invalidEnvironment: 4,
  ioFailure: 5,
  decodingFailure: 6,
  invalidConfig: 7,
  tryAgain: 11,
  notAvailable: 50,
  limitedConnectivity: 51,
  /** ADD of an interface that is there. */
  attachmentExists: 100,
  /** CHECK found something that is not as it was made. */
  checkFailed: 101,
  /** GC could not delete everything; the rest is gone. */
  incompleteCollection: 102,
  /** A bug of this plugin. */
  internal: 199,
} as const;

/** A call that failed, as the runtime is told. */
export class CniError extends Error {
  override readonly name = 'CniError';
  readonly code: number;
  readonly details: string;

  constructor(code: number, message: string, details: string = '', options: { cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = details;
  }
}
