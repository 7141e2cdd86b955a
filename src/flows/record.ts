/** Numbers are unsigned and below 2^53: times in microseconds since the epoch fit. */
export type AttributeValue = number | string;

/** What is told of one record: all of it, or what has changed. Always has `recordType` and `identity`. */
export type RecordUpdate = ReadonlyMap<number, AttributeValue>;
