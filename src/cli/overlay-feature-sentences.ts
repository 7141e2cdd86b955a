interface FeatureSentence {
  /** True when the feature is there. */
  readonly description: string;
  /** What to do when it is not; absent where a newer kernel is all that helps. */
  readonly remedy?: string;
}

const asRoot = 'sudo van overlay doctor; or give the process CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON.';
const libbpf = 'Install libbpf 1.1 or newer (Debian and Ubuntu: apt install libbpf1; Fedora: dnf install libbpf).';

/** What `van overlay doctor` says of each feature, by its name. */
export const featureSentences: Readonly<Record<string, FeatureSentence>> = {
  privileges: { description: 'This process may load programs and change links', remedy: asRoot },
  bpffs: { description: 'Maps and programs outlive a restart of Caravan' },
  jit: { description: 'Programs run as machine code', remedy: 'sysctl -w net.core.bpf_jit_enable=1' },
  btf: {
    description: 'Tools show maps with the names of their fields',
    remedy: 'Nothing has to be done: the overlay does without. A kernel with CONFIG_DEBUG_INFO_BTF has it.',
  },
  libbpf: { description: 'libbpf is there', remedy: libbpf },
  'ffi-self-test': { description: 'Calls into libbpf do what they should', remedy: libbpf },
  xdp: { description: 'The kernel takes packets from other hosts by XDP' },
  tc: { description: 'The kernel takes packets from pods by tc programs' },
  'bpf-links': { description: 'Programs stay attached, and are replaced in one step' },
  tcx: {
    description: 'The kernel has tcx, for "agent: tcx"',
    remedy: 'Nothing has to be done while the configuration does not say "agent: tcx"; Linux 6.6 or newer has it.',
  },
  'xdp-native-veth': {
    description: 'Virtual links take native XDP',
    remedy: 'Use Linux 4.19 or newer; it is needed for "transit: xdp" where the uplink is a veth, and for "agent: xdp".',
  },
  'xdp-frags': { description: 'XDP can take frames of several pages' },
  'array-of-maps': { description: 'Tables of owners can be replaced as a whole' },
  'lpm-trie': { description: 'Subnets can be looked up by prefix' },
  'lru-hash': { description: 'Learnt paths can be forgotten by age' },
  'per-cpu-hash': { description: 'Counters need no locks' },
  'devmap-hash': { description: 'XDP can hand packets to any number of pods' },
  'ring-buffer': { description: 'Programs can tell the daemon of events' },
};
