import { numberField, recordsField, textField } from './inquiry-message.ts';
import type { InquiryFields } from './inquiry-message.ts';

/**
 * A router tells a neighbour what it sees of the links between the two, at its address `check`, and nobody else:
 *
 *     question {}
 *     answer   {"version": text, "wallMs": number, "routedCost": number?, "trust": text,
 *               "links": [{"cost": number, "direction": "in"|"out", "uptimeMs": number}, ...]}
 */
export const checkName = 'check';

/** Links between the same two routers that are told. */
const maxLinks = 16;

/** What a neighbour sees of the links with this router. */
export interface LinkView {
  readonly version: string | undefined;
  /** Its wall clock when it answered. */
  readonly wallMs: number | undefined;
  /** Cost of the link that its routing uses towards this router; undefined while it uses none. */
  readonly routedCost: number | undefined;
  /** What it holds of this router's identity: signed, certified or unsigned. */
  readonly trust: string | undefined;
  readonly links: readonly ViewedLink[];
}

export interface ViewedLink {
  readonly cost: number;
  /** `in`: this router made it. */
  readonly direction: 'in' | 'out';
  readonly uptimeMs: number;
}

export function linkViewFields(view: LinkView): InquiryFields {
  const { version, wallMs, routedCost, trust, links } = view;
  return new Map<string, string | number | readonly InquiryFields[]>([
    ...(version === undefined ? [] : [['version', version] as const]),
    ...(wallMs === undefined ? [] : [['wallMs', wallMs] as const]),
    ...(routedCost === undefined ? [] : [['routedCost', routedCost] as const]),
    ...(trust === undefined ? [] : [['trust', trust] as const]),
    ['links', links.slice(0, maxLinks).map((link) => new Map(Object.entries(link)))],
  ]);
}

/** What comes from the network may be anything: what is not as it should be is left out. */
export function readLinkView(body: InquiryFields): LinkView {
  return {
    version: textField(body, 'version'),
    wallMs: numberField(body, 'wallMs'),
    routedCost: numberField(body, 'routedCost'),
    trust: textField(body, 'trust'),
    links: recordsField(body, 'links', maxLinks).flatMap((link) => {
      const cost = numberField(link, 'cost');
      const direction = textField(link, 'direction');
      const uptimeMs = numberField(link, 'uptimeMs');
      if (cost === undefined || uptimeMs === undefined || (direction !== 'in' && direction !== 'out')) return [];
      return [{ cost, direction, uptimeMs }];
    }),
  };
}
