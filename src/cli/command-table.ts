import type { Command } from './command.ts';

/** A command as `van help` lists it, and how to load the rest of it. */
export interface CommandEntry {
  readonly summary: string;
  readonly load: () => Promise<{ readonly command: Command }>;
}

/** All commands, in groups, by verb. Nothing of a command is loaded before it is called. */
export const commandGroups: Readonly<Record<string, Readonly<Record<string, CommandEntry>>>> = {
  Sites: {
    'site create': { summary: 'Makes a site and starts it', load: () => import('./site-create.ts') },
    'site status': { summary: 'Shows the site', load: () => import('./site-status.ts') },
    'site start': { summary: 'Starts a site that is stopped', load: () => import('./site-start.ts') },
    'site stop': { summary: 'Stops the site and keeps its state', load: () => import('./site-stop.ts') },
    'site run': { summary: 'Runs the site in the foreground', load: () => import('./site-run.ts') },
    'site logs': { summary: 'Shows what the site wrote to its log', load: () => import('./site-logs.ts') },
    'site audit': { summary: 'Shows who was let in, who was refused and what was changed', load: () => import('./site-audit.ts') },
    'site revoke': { summary: 'Shuts another site out of the network', load: () => import('./site-revoke.ts') },
    'site delete': { summary: 'Stops the site and deletes its state', load: () => import('./site-delete.ts') },
  },
  Links: {
    'token issue': { summary: 'Writes a token that lets another site link to this one', load: () => import('./token-issue.ts') },
    'token redeem': { summary: 'Links this site to the one that issued a token', load: () => import('./token-redeem.ts') },
    'link status': { summary: 'Shows the links that this site makes', load: () => import('./link-status.ts') },
    'link delete': { summary: 'Deletes a link', load: () => import('./link-delete.ts') },
    'link generate': { summary: 'Prints a link to this site with its certificates, as YAML', load: () => import('./link-generate.ts') },
  },
  Services: {
    'listener create': { summary: 'Opens a local port for a service of the network', load: () => import('./listener-create.ts') },
    'listener status': { summary: 'Shows listeners', load: () => import('./listener-status.ts') },
    'listener delete': { summary: 'Deletes a listener', load: () => import('./listener-delete.ts') },
    'connector create': { summary: 'Offers a server to the network', load: () => import('./connector-create.ts') },
    'connector status': { summary: 'Shows connectors', load: () => import('./connector-status.ts') },
    'connector delete': { summary: 'Deletes a connector', load: () => import('./connector-delete.ts') },
    expose: { summary: 'Offers a port of this host to the network', load: () => import('./expose.ts') },
  },
  Messages: {
    publish: { summary: 'Sends a message to an address of the network', load: () => import('./publish.ts') },
    subscribe: { summary: 'Shows messages of an address as they come', load: () => import('./subscribe.ts') },
  },
  Network: {
    check: { summary: 'Finds out what is wrong with the site, and what to do', load: () => import('./check.ts') },
    ping: { summary: 'Measures the way to a site or a service, hop by hop', load: () => import('./ping.ts') },
    'network status': { summary: 'Shows all sites, links and services', load: () => import('./network-status.ts') },
    'service status': { summary: 'Shows who offers and who uses each service', load: () => import('./service-status.ts') },
    console: { summary: 'Prints a link that opens the web console', load: () => import('./console.ts') },
    'console password': { summary: 'Sets the password of a user of the web console', load: () => import('./console-password.ts') },
    'console sessions': { summary: 'Shows who is logged in to the web console', load: () => import('./console-sessions.ts') },
  },
  Traffic: {
    stat: { summary: 'Shows success, rate and latency of services, sites and servers', load: () => import('./stat.ts') },
    top: { summary: 'Shows what requests there are most of', load: () => import('./top.ts') },
    tap: { summary: 'Shows single requests as they come, of both ends', load: () => import('./tap.ts') },
    trace: { summary: 'Draws where the time of one request went', load: () => import('./trace.ts') },
    edges: { summary: 'Shows which sites talk to which', load: () => import('./edges.ts') },
    gateways: { summary: 'Shows how well the other sites are reached', load: () => import('./gateways.ts') },
  },
  Files: {
    apply: { summary: 'Creates or changes resources from YAML', load: () => import('./apply.ts') },
    delete: { summary: 'Deletes the resources that YAML names', load: () => import('./delete.ts') },
  },
  'Tenant overlay': {
    'vpc create': { summary: 'Makes a network of a tenant', load: () => import('./vpc-create.ts') },
    'vpc status': { summary: "Shows tenants' networks", load: () => import('./vpc-status.ts') },
    'vpc delete': { summary: 'Deletes a network of a tenant', load: () => import('./vpc-delete.ts') },
    'subnet create': { summary: 'Makes a range of addresses for pods', load: () => import('./subnet-create.ts') },
    'subnet status': { summary: 'Shows subnets, and which hosts have pods in them', load: () => import('./subnet-status.ts') },
    'subnet delete': { summary: 'Deletes a subnet without pods', load: () => import('./subnet-delete.ts') },
    'endpoint create': { summary: 'Puts an interface into a subnet', load: () => import('./endpoint-create.ts') },
    'endpoint status': { summary: 'Shows endpoints', load: () => import('./endpoint-status.ts') },
    'endpoint delete': { summary: 'Takes an endpoint away', load: () => import('./endpoint-delete.ts') },
    'overlay apply': { summary: 'Creates or changes resources of the overlay from YAML', load: () => import('./overlay-apply.ts') },
    'overlay delete': { summary: 'Deletes the resources of the overlay that YAML names', load: () => import('./overlay-delete.ts') },
    'overlay get': { summary: 'Lists resources of the overlay', load: () => import('./overlay-get.ts') },
    'overlay run': { summary: "Connects this host's pods with those of other hosts", load: () => import('./overlay-run.ts') },
    'overlay status': { summary: "Shows this host's pods and what the data path counts", load: () => import('./overlay-status.ts') },
    'overlay trace': { summary: 'Walks a packet through the programs of the hosts', load: () => import('./overlay-trace.ts') },
    'overlay reload': { summary: 'Lets the daemon read its configuration again', load: () => import('./overlay-reload.ts') },
    'overlay move-out': { summary: 'Lets a pod go to another host, and prints its ticket', load: () => import('./overlay-move-out.ts') },
    'overlay move-in': { summary: 'Takes the ticket of a pod that comes to this host', load: () => import('./overlay-move-in.ts') },
    'overlay remove': { summary: 'Takes the overlay off this host', load: () => import('./overlay-remove.ts') },
    'overlay doctor': { summary: 'Finds out whether this machine can be a host of the overlay', load: () => import('./overlay-doctor.ts') },
  },
  Programs: {
    observe: { summary: 'Observes the network: console, REST, metrics, history', load: () => import('./observe.ts') },
    router: { summary: 'Runs a router from a file, without a site', load: () => import('./router.ts') },
    completion: { summary: 'Prints a script that completes commands in the shell', load: () => import('./completion.ts') },
    version: { summary: 'Shows the version', load: () => import('./version-command.ts') },
  },
};

/** All commands by verb. */
export const commands: ReadonlyMap<string, CommandEntry> = new Map(Object.values(commandGroups).flatMap((group) => Object.entries(group)));
