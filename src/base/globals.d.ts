// The few web-standard globals that the layers without I/O may use. Everything else that belongs to a platform
// (Buffer, timers, process, node:*) is a type error there, because those layers compile with `types: []`.

declare class TextEncoder {
  encode(text?: string): Uint8Array<ArrayBuffer>;
  encodeInto(text: string, target: Uint8Array): { read: number; written: number };
}

declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
  decode(bytes?: Uint8Array): string;
}
