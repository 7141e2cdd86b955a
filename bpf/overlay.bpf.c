/* The data path of the tenants' networks: all programs and maps in one object.
 *
 *   pod -> root side of its link: agent_tc or agent_xdp -> another pod here, or Geneve out of the uplink
 *   uplink: transit -> the pod, or on to another host
 */
#include "agent.h"
#include "transit.h"

SEC("tc")
int agent_tc(struct __sk_buff *skb) {
  __u32 wanted = skb->len < READ_BYTES ? skb->len : READ_BYTES;
  if ((void *)(long)skb->data + wanted > (void *)(long)skb->data_end) bpf_skb_pull_data(skb, wanted);
  struct frame frame = {
      .data = (void *)(long)skb->data,
      .data_end = (void *)(long)skb->data_end,
      .bytes = skb->len,
      .segmented_later = skb->gso_segs > 1 || skb->gso_size,
  };
  return agent(skb, false, skb->ifindex, &frame, skb->vlan_present);
}

SEC("xdp")
int agent_xdp(struct xdp_md *context) {
  struct frame frame = {
      .data = (void *)(long)context->data,
      .data_end = (void *)(long)context->data_end,
      .bytes = context->data_end - context->data,
  };
  return agent(context, true, context->ingress_ifindex, &frame, false);
}

SEC("xdp")
int transit(struct xdp_md *context) {
  return transit_packet(context);
}

/* For the other end of a virtual link: the kernel sends XDP frames only to a device that has a program. */
SEC("xdp")
int pass(struct xdp_md *context __attribute__((unused))) {
  return XDP_PASS;
}

/* No helper is used that asks for the GPL. */
char license_text[] SEC("license") = "Apache-2.0";
