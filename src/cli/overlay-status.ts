import type { OverlayStatus } from '../overlay-host/overlay-status.ts';
import type { Command } from './command.ts';
import { printResult } from './output.ts';
import { askOverlay, overlaySocketOption } from './overlay-session.ts';
import { formatFields, formatTable } from './table.ts';

export const command: Command = {
  parameters: [],
  options: overlaySocketOption,
  description:
    'Asks the daemon of this host. PACKETS are what the programs in the kernel have counted since they were loaded: why packets were dropped, and which\n' +
    'way the others went; VNI 0 where it was not known.',
  examples: [{ line: 'van overlay status --config overlay.yaml', meaning: 'What is on this host, and what its data path did' }],
  async run(call) {
    const status = (await askOverlay(call, { ask: 'status' })) as OverlayStatus;
    await printResult(call, status, () => formatStatus(status));
    return 0;
  },
};

function formatStatus(status: OverlayStatus): string {
  const { host, hostId, generation, epoch, uplink, connected, endpoints, services, problems, counters, sizes } = status;
  const fields = formatFields([
    ['Host', `${host} (${hostId}), generation ${generation}, epoch ${epoch}`],
    ['Uplink', `${uplink.name}, MTU ${uplink.mtu}`],
    ['Transit', `${uplink.transit.mode} (${uplink.transit.reason})`],
    ['Connected to', connected.length === 0 ? 'nobody' : connected.join(', ')],
    ['Directory', `${sizes.directory} entries of which this host is an owner`],
  ]);
  const pods = formatTable(
    ['VNI', 'ADDRESSES', 'MAC', 'IFINDEX', 'GENERATION', 'LABELS'],
    endpoints.map(({ vni, addresses, mac, ifindex, generation: placed, labels }) => [
      String(vni),
      addresses.join(', '),
      mac.replaceAll(/(..)(?=.)/g, '$1:'),
      String(ifindex),
      String(placed),
      Object.entries(labels)
        .map(([name, value]) => `${name}=${value}`)
        .join(','),
    ]),
  );
  const backends = formatTable(
    ['VPC', 'SERVICE', 'BACKENDS', 'DRAINING'],
    services.map(({ vpc, name, ready, draining }) => [vpc, name, String(ready), String(draining)]),
  );
  const packets = formatTable(
    ['VNI', 'PACKETS', 'OCTETS', 'WHAT'],
    counters.map(({ vni, packets: count, bytes, reason }) => [String(vni), String(count), String(bytes), reason]),
  );
  const served = services.length === 0 ? '' : `${backends}\n`;
  const missing = problems.map((problem) => `${problem}\n`).join('');
  return `${fields}\n${pods}\n${served}${missing}${packets}`;
}
