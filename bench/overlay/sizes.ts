/** Of the pods' interfaces on every path: what the overlay leaves of the underlay's. */
export const podMtu = 1418;
export const underlayMtu = 1500;
