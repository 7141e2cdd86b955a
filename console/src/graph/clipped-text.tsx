import type { JSX } from 'preact';

interface ClippedTextProperties {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly children: string;
}

/** Letters differ in width: what has no room all the same is cut. */
export function ClippedText({ x, y, width, children }: ClippedTextProperties): JSX.Element {
  return (
    <svg x={x} y={y - 14} width={Math.max(0, width)} height="20">
      <text class="node-name" y="14">
        {children}
      </text>
    </svg>
  );
}
