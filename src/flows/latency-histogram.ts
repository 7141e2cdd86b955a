/** Numbers below 16 have a bucket each; from there on each power of two is divided into 8, up to 2^27 µs (134 s). */
const linearBuckets = 16;
const bucketsPerOctave = 8;
const firstOctave = 4;
const lastOctave = 26;
export const bucketCount = 200;
/** Times are kept to 100 s; longer ones count as that. */
const maxMicroseconds = 100_000_000;
/** Of the text of a distribution with all buckets: 200 times a number of three digits, one of 16, and what parts them. */
const maxTextLength = 4400;

/**
 * How often which latency occurred, in microseconds: a fixed number of buckets, log-linear, so that no value is told wrong by more than
 * 1/17 (6 %). Nothing is allocated to record. Distributions add up, and the difference of two cumulative ones is that of the time between.
 *
 *     bucket of v:  v                                        v < 16
 *                   16 + (e - 4) * 8 + the 3 bits below the highest     2^e <= v < 2^(e+1), e = 4 ... 26
 */
export class LatencyHistogram {
  readonly #counts = new Float64Array(bucketCount);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  record(microseconds: number): void {
    const bucket = bucketOf(microseconds);
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#count++;
  }

  countOf(bucket: number): number {
    return this.#counts[bucket] ?? 0;
  }

  merge(other: LatencyHistogram): void {
    for (let bucket = 0; bucket < bucketCount; bucket++) this.#add(bucket, other.countOf(bucket));
  }

  #add(bucket: number, count: number): void {
    this.#counts[bucket] = this.countOf(bucket) + count;
    this.#count += count;
  }

  /** What has been recorded since this distribution was `earlier`. */
  since(earlier: LatencyHistogram): LatencyHistogram {
    const difference = new LatencyHistogram();
    for (let bucket = 0; bucket < bucketCount; bucket++) {
      difference.#add(bucket, Math.max(0, this.countOf(bucket) - earlier.countOf(bucket)));
    }
    return difference;
  }

  clear(): void {
    this.#counts.fill(0);
    this.#count = 0;
  }

  /** The latency that a part of all (0 to 1) did not exceed, in microseconds; undefined when there is none. */
  quantile(part: number): number | undefined {
    if (this.#count === 0) return undefined;
    const rank = Math.max(1, Math.ceil(part * this.#count));
    let seen = 0;
    let last = 0;
    for (let bucket = 0; bucket < bucketCount; bucket++) {
      const count = this.countOf(bucket);
      if (count === 0) continue;
      last = bucket;
      seen += count;
      if (seen >= rank) break;
    }
    return valueOf(last);
  }

  /** `12=4 13=90`: bucket and count of those that have any. */
  toText(): string {
    let text = '';
    for (let bucket = 0; bucket < bucketCount; bucket++) {
      const count = this.countOf(bucket);
      if (count > 0) text += text === '' ? `${bucket}=${count}` : ` ${bucket}=${count}`;
    }
    return text;
  }

  /** Undefined for what `toText` does not write. */
  static fromText(text: string): LatencyHistogram | undefined {
    const histogram = new LatencyHistogram();
    if (text === '') return histogram;
    if (text.length > maxTextLength) return undefined;
    for (const entry of text.split(' ')) {
      const parts = /^(\d{1,3})=(\d{1,16})$/.exec(entry);
      const bucket = Number(parts?.[1] ?? bucketCount);
      const count = Number(parts?.[2]);
      if (bucket >= bucketCount || !Number.isSafeInteger(count)) return undefined;
      histogram.#add(bucket, count);
    }
    return histogram;
  }

  /** The least value above a bucket, in microseconds. */
  static upperBound(bucket: number): number {
    return lowerBound(bucket + 1);
  }
}

function bucketOf(microseconds: number): number {
  if (!(microseconds >= 0)) return 0;
  const value = microseconds > maxMicroseconds ? maxMicroseconds : Math.trunc(microseconds);
  if (value < linearBuckets) return value;
  const octave = 31 - Math.clz32(value);
  return linearBuckets + (octave - firstOctave) * bucketsPerOctave + ((value >>> (octave - 3)) & (bucketsPerOctave - 1));
}

function lowerBound(bucket: number): number {
  if (bucket < linearBuckets) return bucket;
  const octave = firstOctave + Math.floor((bucket - linearBuckets) / bucketsPerOctave);
  if (octave > lastOctave) return 2 ** (lastOctave + 1);
  return (bucketsPerOctave + ((bucket - linearBuckets) % bucketsPerOctave)) * 2 ** (octave - 3);
}

/** Told for all of a bucket: the value whose relative distance to both ends is the same. */
function valueOf(bucket: number): number {
  if (bucket < linearBuckets) return bucket;
  const low = lowerBound(bucket);
  const high = lowerBound(bucket + 1);
  return (2 * low * high) / (low + high);
}
