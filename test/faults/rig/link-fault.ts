/** What happens to the packets that come in at one end of a wire. `reset`: TCP packets are answered with a reset, and dropped. */
export type Impairment = { readonly kind: 'drop' } | { readonly kind: 'reset' } | { readonly kind: 'lose'; readonly percent: number };

/** A fault of a wire, for what the left and what the right host sends; undefined = that direction works. */
export interface LinkFault {
  readonly fromLeft: Impairment | undefined;
  readonly fromRight: Impairment | undefined;
}

/** Both directions alike. */
export function bothWays(impairment: Impairment): LinkFault {
  return { fromLeft: impairment, fromRight: impairment };
}

/** TCP connections over the wire are reset, and new ones refused. */
export const closed: LinkFault = bothWays({ kind: 'reset' });
/** Nothing gets through, and nobody is told. */
export const silent: LinkFault = bothWays({ kind: 'drop' });
/** What the left host sends is lost; what the right one sends arrives. */
export const silentFromLeft: LinkFault = { fromLeft: { kind: 'drop' }, fromRight: undefined };

/** An nft table of its own for each wire. Rules stand at the input: there `drop` looks like loss, at the output the sender is told. */
function table(peer: string): string {
  return `inet fault-${peer}`;
}

function rule(impairment: Impairment): string {
  switch (impairment.kind) {
    case 'drop':
      return 'drop';
    case 'reset':
      // A reset itself gets through, or the other end never hears of it.
      return 'tcp flags & rst == 0 reject with tcp reset';
    default:
      return `numgen random mod 10000 < ${Math.round(impairment.percent * 100)} drop`;
  }
}

/** What `nft -f` is given on the host at one end; replaces what was there in one transaction. */
export function faultScript(peer: string, impairment: Impairment | undefined): string {
  if (impairment === undefined) return healScript(peer);
  return [
    healScript(peer),
    `table ${table(peer)} {`,
    '  chain input {',
    '    type filter hook input priority 0; policy accept;',
    `    iifname "to-${peer}" ${rule(impairment)}`,
    '  }',
    '}',
    '',
  ].join('\n');
}

export function healScript(peer: string): string {
  return `add table ${table(peer)}\ndelete table ${table(peer)}\n`;
}
