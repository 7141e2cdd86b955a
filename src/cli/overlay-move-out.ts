import type { Command } from './command.ts';
import { askOverlay, overlaySocketOption } from './overlay-session.ts';

export const command: Command = {
  parameters: [
    { name: 'CONTAINER', meaning: 'id of the container, as the runtime has it' },
    { name: 'INTERFACE', meaning: 'name of its interface, such as eth0' },
  ],
  options: overlaySocketOption,
  description:
    'Lets the addresses of a pod go to another host, and prints the ticket that "van overlay move-in" takes there. The pod is served here until the other\n' +
    'host has it, for 45 seconds at most; from then on packets that still come here are sent on.',
  examples: [{ line: 'van overlay move-out 4f1c eth0 --config overlay.yaml > ticket.json', meaning: 'A pod is about to be moved' }],
  async run(call) {
    const ticket = await askOverlay(call, {
      ask: 'moveOut',
      containerId: call.parameter('CONTAINER'),
      ifname: call.parameter('INTERFACE'),
    });
    call.shell.writeOut(`${JSON.stringify(ticket)}\n`);
    return 0;
  },
};
