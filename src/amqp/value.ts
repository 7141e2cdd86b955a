/**
 * A decoded AMQP value as plain data. Lossy on purpose, because nothing decoded is ever encoded again (what passes through is forwarded
 * as bytes): symbol and string become string; every number type becomes number, or bigint where a 64-bit integer is not a safe integer;
 * array becomes list; decimals and uuid become their bytes; timestamp becomes milliseconds.
 */
export type AmqpValue = null | boolean | number | bigint | string | Uint8Array | readonly AmqpValue[] | AmqpMap | Described;

/** Keys are decoded strings and numbers; a map with compound keys is refused. */
type AmqpMap = ReadonlyMap<AmqpMapKey, AmqpValue>;
export type AmqpMapKey = null | boolean | number | bigint | string;

/** A described type (§1.3) that the decoder has no special knowledge of. */
export class Described {
  readonly descriptor: AmqpValue;
  readonly value: AmqpValue;

  constructor(descriptor: AmqpValue, value: AmqpValue) {
    this.descriptor = descriptor;
    this.value = value;
  }
}
