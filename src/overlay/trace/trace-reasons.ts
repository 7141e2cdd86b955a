/** What a counter of the data path means for the packet of a trace, and what to do about it. */
export interface TraceReason {
  readonly meaning: string;
  /** Undefined where there is nothing to be done. */
  readonly remedy?: string;
}

const brokenTables =
  'Look at the log of the daemon of that host, and compare van overlay status of both hosts; if all is well, this is a bug.';

/** By the name that the counter has. Those below 64 in the data path say why a packet was not handed on. */
export const refusals: Readonly<Record<string, TraceReason>> = {
  noPort: { meaning: 'the link is no pod of this host', remedy: 'Add the pod by the CNI plugin.' },
  spoofedMac: { meaning: 'the source MAC is not the one of the pod', remedy: brokenTables },
  spoofedAddress: {
    meaning: 'the source address is not one of the pod',
    remedy: 'A pod may send from its own addresses only: see van overlay status.',
  },
  etherType: { meaning: 'it is neither ARP nor IPv4 nor IPv6, or has a VLAN tag' },
  malformed: { meaning: 'its lengths or options do not fit', remedy: brokenTables },
  arp: { meaning: 'it is a neighbour message of a form that is not taken', remedy: brokenTables },
  duplicateProbe: { meaning: 'it asks whether somebody else has the address; silence is the answer' },
  multicast: { meaning: 'the destination is a multicast, broadcast, link-local or unspecified address, which a VPC does not have' },
  tooBig: {
    meaning: 'it is longer than the MTU, of the pod or of the subnet that it goes to; the pod is told by ICMP',
    remedy: 'Nothing, if the pod heeds ICMP: it sends shorter packets. Otherwise lower the MTU of its interface.',
  },
  ttl: { meaning: 'no hop is left' },
  noRoute: {
    meaning: 'no subnet of the VPC has the destination',
    remedy: 'Make a subnet that holds it, or let the VPC have a way out or a peer that has it.',
  },
  noOwner: {
    meaning: 'the hosts that know where the destination is are dead, or not reached',
    remedy: 'See which hosts van overlay status names as connected, and start the others.',
  },
  noEndpoint: {
    meaning: 'nobody has the destination, or its host is dead',
    remedy: 'See whether the pod is there: van overlay status at its host.',
  },
  unknownSource: { meaning: 'the outer source is no host of the overlay', remedy: 'Give this host the newest list of hosts.' },
  criticalOption: { meaning: 'it has an option that must be understood and is not', remedy: 'Bring all hosts to the same version.' },
  loop: { meaning: 'it was sent on too often, or would have gone back where it came from', remedy: brokenTables },
  untrusted: { meaning: 'that host had no business with it, or what it said of an endpoint was not believed', remedy: brokenTables },
  internal: { meaning: 'a call into the kernel failed', remedy: brokenTables },
  fragment: {
    meaning: 'it is a later fragment, and the first one was not seen',
    remedy: 'Send it again; see that fragments take one way.',
  },
  noBackend: {
    meaning: 'the service has no back end that is ready; the pod is told',
    remedy: 'See which endpoints have the labels of its selector: van overlay status at their hosts.',
  },
  noIdentity: {
    meaning: 'the destination has a policy, and its host does not know who the sender is',
    remedy: 'Nothing: the next packets go by an owner and say it. If it stays so, look at the log of the sender’s daemon.',
  },
  policy: { meaning: 'no policy lets it pass', remedy: 'Let an OverlayPolicy allow it: van overlay get OverlayPolicy.' },
};

/** What became of packets that were handed on. */
export const handedOn: Readonly<Record<string, string>> = {
  delivered: 'handed to a pod of this host',
  sentDirect: 'sent to the host that has the destination',
  sentViaOwner: 'sent to an owner, which knows where the destination is',
  sentBack: 'sent back: the path of its sender is old',
  answered: 'a question that became its answer',
  relayed: 'sent on as owner',
  translated: 'the service’s address became the one of a back end',
  restored: 'the back end’s address became the one of the service',
};
