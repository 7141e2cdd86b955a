/** Lines through values at even distances, broken where there is none. A single value becomes a short line. */
export function chartPaths(
  values: readonly (number | null)[],
  width: number,
  height: number,
  floor: number,
  ceiling: number,
): readonly string[] {
  const step = width / Math.max(1, values.length - 1);
  const span = ceiling - floor || 1;
  const paths: string[] = [];
  let path = '';
  let count = 0;
  const end = (): void => {
    if (count === 1) path += 'h1.5';
    if (count > 0) paths.push(path);
    path = '';
    count = 0;
  };
  for (const [index, value] of values.entries()) {
    if (value === null) {
      end();
      continue;
    }
    const part = Math.max(0, Math.min(1, (value - floor) / span));
    const y = (height - 1 - part * (height - 2)).toFixed(1);
    path += `${count === 0 ? 'M' : 'L'}${(index * step).toFixed(1)} ${y}`;
    count += 1;
  }
  end();
  return paths;
}

/** A round number a little above: 1, 2 or 5 times a power of ten. */
export function niceCeiling(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const factor = [1, 2, 5, 10].find((candidate) => candidate * power >= value) ?? 10;
  return factor * power;
}
