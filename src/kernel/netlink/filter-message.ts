import { Attributes, BodyWriter } from './attributes.ts';
import { type NetlinkMessage, type NetlinkRequest, messageFlags } from './message.ts';

/*
 * struct tcmsg, 20 octets: u8 family | 3 octets of zeros | i32 link index | u32 handle | u32 parent | u32 info, then attributes TCA_*.
 * `info` of a filter: its priority << 16 | its EtherType in network order.
 */

const types = { newQdisc: 36, deleteQdisc: 37, newFilter: 44, deleteFilter: 45, getFilter: 46 } as const;
const attribute = { kind: 1, options: 2 } as const;
const bpfOption = { descriptor: 6, name: 7, flags: 8, programId: 11 } as const;

/** What filters of a link hang on; it queues nothing. */
const classifier = { kind: 'clsact', handle: 0xffff0000, parent: 0xfffffff1 } as const;
const ingress = 0xfffffff2;
const egress = 0xfffffff3;
const filterKind = 'bpf';
/** Of our filters. That at the uplink has one that nobody else has, since others may have filters there. */
export const filterHandles = { agent: 1, transit: 0x43415241 } as const;
/** Where they are: in the first place, for all EtherTypes. */
const filterInfo = (1 << 16) | 0x0300;
/** TCA_BPF_FLAG_ACT_DIRECT: the program's answer is the verdict. */
const directAction = 1;
const infoBytes = 20;

/** The place for filters at a link. Refused when there is one. */
export function addClassifier(linkIndex: number): NetlinkRequest {
  const body = head(linkIndex, classifier.handle, classifier.parent, 0).attributeText(attribute.kind, classifier.kind).finish();
  return { type: types.newQdisc, flags: messageFlags.create | messageFlags.exclusive, body, what: `adding filters to link ${linkIndex}` };
}

/** With all its filters. */
export function deleteClassifier(linkIndex: number): NetlinkRequest {
  const body = head(linkIndex, classifier.handle, classifier.parent, 0).finish();
  return { type: types.deleteQdisc, flags: 0, body, what: `deleting the filters of link ${linkIndex}` };
}

/** Has a program see each packet that comes in from the link, in place of the one before if there is one. `program`: a descriptor. */
export function putIngressProgram(linkIndex: number, program: number, name: string, handle: number = filterHandles.agent): NetlinkRequest {
  const body = head(linkIndex, handle, ingress, filterInfo)
    .attributeText(attribute.kind, filterKind)
    .nest(attribute.options, (writer) =>
      writer.attributeU32(bpfOption.descriptor, program).attributeText(bpfOption.name, name).attributeU32(bpfOption.flags, directAction),
    )
    .finish();
  return {
    type: types.newFilter,
    flags: messageFlags.create | messageFlags.replace,
    body,
    what: `attaching ${name} to link ${linkIndex}`,
  };
}

/** Takes one filter off; others stay. */
export function deleteIngressProgram(linkIndex: number, handle: number): NetlinkRequest {
  const body = head(linkIndex, handle, ingress, filterInfo).attributeText(attribute.kind, filterKind).finish();
  return { type: types.deleteFilter, flags: 0, body, what: `deleting a filter of link ${linkIndex}` };
}

/** All filters of a link, one way. */
export function dumpFilters(linkIndex: number, way: 'ingress' | 'egress'): NetlinkRequest {
  const body = head(linkIndex, 0, way === 'ingress' ? ingress : egress, 0).finish();
  return { type: types.getFilter, flags: messageFlags.dump, body, what: `listing the filters of link ${linkIndex}` };
}

/** Whether a message is a filter of whatever kind. */
export function isFilter({ type }: NetlinkMessage): boolean {
  return type === types.newFilter;
}

/** What sees packets that come in from a link. */
export function dumpIngressPrograms(linkIndex: number): NetlinkRequest {
  const body = head(linkIndex, 0, ingress, 0).finish();
  return { type: types.getFilter, flags: messageFlags.dump, body, what: `listing the filters of link ${linkIndex}` };
}

/** The id of the program of an RTM_NEWTFILTER; undefined for other messages, and for filters that are no programs. */
export function decodeIngressProgram({ type, body }: NetlinkMessage): number | undefined {
  if (type !== types.newFilter || body.length < infoBytes) return undefined;
  const attributes = new Attributes(body.subarray(infoBytes));
  if (attributes.text(attribute.kind) !== filterKind) return undefined;
  return attributes.nested(attribute.options)?.u32(bpfOption.programId);
}

function head(linkIndex: number, handle: number, parent: number, info: number): BodyWriter {
  return new BodyWriter().u8(0).u8(0).u16(0).u32(linkIndex).u32(handle).u32(parent).u32(info);
}
