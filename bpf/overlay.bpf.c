/* The data path of the tenants' networks: all programs and maps in one object.
 *
 *   pod -> root side of its link: agent_tc or agent_xdp -> another pod here, or Geneve out of the uplink
 *   uplink: transit or transit_tc -> the pod, or on to another host
 */
#include "agent.h"
#include "transit.h"

SEC("tc")
int agent_tc(struct __sk_buff *skb) {
  __u32 wanted = skb->len < READ_BYTES ? skb->len : READ_BYTES;
  if (READ_POINTER(skb, data) + wanted > READ_POINTER(skb, data_end)) bpf_skb_pull_data(skb, wanted);
  struct frame frame = {
      .data = READ_POINTER(skb, data),
      .data_end = READ_POINTER(skb, data_end),
      .bytes = skb->len,
      .segmented_later = skb->gso_size != 0,
      .segment_bytes = skb->gso_size,
  };
  return agent(skb, false, skb->ifindex, &frame, skb->vlan_present);
}

SEC("xdp")
int agent_xdp(struct xdp_md *context) {
  struct frame frame = {
      .data = READ_POINTER(context, data),
      .data_end = READ_POINTER(context, data_end),
  };
  frame.bytes = frame.data_end - frame.data;
  return agent(context, true, context->ingress_ifindex, &frame, false);
}

SEC("xdp")
int transit(struct xdp_md *context) {
  struct arrival arrival = {
      .context = context,
      .data = READ_POINTER(context, data),
      .data_end = READ_POINTER(context, data_end),
  };
  arrival.bytes = arrival.data_end - arrival.data;
  return transit_packet(true, &arrival, XDP_PASS);
}

SEC("tc")
int transit_tc(struct __sk_buff *skb) {
  __u32 wanted = skb->len < TRANSIT_READ_BYTES ? skb->len : TRANSIT_READ_BYTES;
  if (READ_POINTER(skb, data) + wanted > READ_POINTER(skb, data_end)) bpf_skb_pull_data(skb, wanted);
  struct arrival arrival = {
      .context = skb,
      .data = READ_POINTER(skb, data),
      .data_end = READ_POINTER(skb, data_end),
      .bytes = skb->len,
      .segmented_later = skb->gso_size != 0,
  };
  /* What is not ours goes to the next filter. */
  return skb->vlan_present ? TC_ACT_UNSPEC : transit_packet(false, &arrival, TC_ACT_UNSPEC);
}

/* For the other end of a virtual link: the kernel sends XDP frames only to a device that has a program. */
SEC("xdp")
int pass(struct xdp_md *context __attribute__((unused))) {
  return XDP_PASS;
}

/* No helper is used that asks for the GPL. */
char license_text[] SEC("license") = "Apache-2.0";
