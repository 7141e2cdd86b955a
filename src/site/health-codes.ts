/**
 * Everything that can be wrong with a site, one row per code. `van check` goes through the rows in this order; the page docs/checks.md has a
 * section for each; what a row depends on decides which warnings are shown as causes and which are only counted as consequences.
 */

export const healthCategories = ['site', 'clock', 'trust', 'certificates', 'links', 'version', 'reachability', 'addresses'] as const;
export type HealthCategory = (typeof healthCategories)[number];

/** All codes, in the order in which they are checked and shown. */
export const healthCodeNames = [
  'site-not-running',
  'disk-full',
  'router-not-configured',
  'resource-failed',
  'restarted-often',
  'limit-reached',
  'audit-incomplete',
  'clock-differs',
  'peer-clock-differs',
  'site-revoked',
  'identity-conflict',
  'site-fenced',
  'site-not-signing',
  'site-revoked-elsewhere',
  'router-quarantined',
  'routing-refused',
  'grant-violation',
  'link-refused',
  'neighbour-unsigned',
  'membership-ended',
  'membership-ends-soon',
  'certificate-ended',
  'certificate-not-renewing',
  'link-port-closed',
  'link-endpoint-unreachable',
  'link-peer-not-proven',
  'link-down',
  'link-unstable',
  'link-one-sided',
  'version-differs',
  'site-unreachable',
  'listener-port-closed',
  'address-without-connector',
  'service-type-differs',
  'connector-server-down',
] as const;
export type HealthCode = (typeof healthCodeNames)[number];

/** `error`: something does not work now. `warning`: it will not, or it is not as safe as it should be. `info`: good to know. */
export type Severity = 'error' | 'warning' | 'info';

export interface HealthEntry {
  readonly category: HealthCategory;
  readonly severity: Severity;
  /** What is so when all is well, as `van check` says it. */
  readonly expected: string;
  /** What is wrong, in a few words. */
  readonly title: string;
  /** Codes that may be the cause of this one wherever they are found in the site. */
  readonly dependsOn: readonly HealthCode[];
  /** Codes that may be its cause only when both are about the same thing: the same link, the same router. */
  readonly dependsOnSame: readonly HealthCode[];
  /** How it is found, and what it means. For the page. */
  readonly meaning: string;
  /** What to do. For the page; a warning itself carries the command. */
  readonly cure: string;
}

/** What keeps every link of a site from coming up. */
const causesOfNoLink: readonly HealthCode[] = [
  'router-not-configured',
  'site-revoked',
  'site-fenced',
  'membership-ended',
  'certificate-ended',
];

export const healthCodes: Readonly<Record<HealthCode, HealthEntry>> = {
  'site-not-running': {
    category: 'site',
    severity: 'error',
    expected: 'The site runs',
    title: 'The site does not run',
    dependsOn: [],
    dependsOnSame: [],
    meaning: 'No process answers for the namespace. Nothing else can be checked.',
    cure: 'Start the site, or create one.',
  },
  'disk-full': {
    category: 'site',
    severity: 'error',
    expected: 'The disk takes what the site has to keep',
    title: 'The disk is full',
    dependsOn: [],
    dependsOnSame: [],
    meaning:
      'State, certificates or the audit log could not be written. What was there before is kept; nothing new is durable until there is room.',
    cure: 'Make room on the disk of the state folder. The site tries again by itself.',
  },
  'router-not-configured': {
    category: 'site',
    severity: 'error',
    expected: 'The router is as the resources say',
    title: 'The router is not as the resources say',
    dependsOn: ['disk-full'],
    dependsOnSame: [],
    meaning: 'Making the router follow the resources failed as a whole. It goes on as it was and tries again with growing pauses.',
    cure: 'Mend what the message names; the log has the history.',
  },
  'resource-failed': {
    category: 'site',
    severity: 'error',
    expected: 'Every resource is in effect',
    title: 'A resource has no effect',
    dependsOn: ['router-not-configured', 'disk-full'],
    dependsOnSame: [],
    meaning: 'A resource says in its status that something about it is wrong, so that it does nothing or not all it should.',
    cure: 'Change or delete the resource.',
  },
  'restarted-often': {
    category: 'site',
    severity: 'warning',
    expected: 'The process has not been restarted again and again',
    title: 'The process ended without being asked to, more than once',
    dependsOn: ['disk-full'],
    dependsOnSame: [],
    meaning:
      'The site was started at least three times within an hour after its process had ended in another way than by SIGTERM or `van site stop`.',
    cure: 'Look at the end of the log, and at what the operating system says (out of memory, a supervisor that kills it).',
  },
  'limit-reached': {
    category: 'site',
    severity: 'warning',
    expected: 'No limit of the router is reached',
    title: 'A limit of the router was reached',
    dependsOn: ['router-quarantined'],
    dependsOnSame: [],
    meaning: 'The router left something out because a table of fixed size was full. The evidence names the limit and how often it was met.',
    cure: 'Find out which site brings so much. Limits are written down in docs/architecture.md.',
  },
  'audit-incomplete': {
    category: 'site',
    severity: 'warning',
    expected: 'The audit log is complete',
    title: 'Events are missing in the audit log',
    dependsOn: ['disk-full'],
    dependsOnSame: [],
    meaning: 'Events relevant to security could not be written. The site goes on; the sequence numbers of the log show the gap.',
    cure: 'Make the folder of the audit log writable again.',
  },
  'clock-differs': {
    category: 'clock',
    severity: 'error',
    expected: 'The clock agrees with those of the neighbours',
    title: 'The clock of this site is wrong',
    dependsOn: [],
    dependsOnSame: [],
    meaning:
      'Each end of a link tells its time when the link comes up, and `van check` asks for the time at every link endpoint. More than 30 s of difference to most of them is reported. Certificates begin and end by the clock: with a wrong one links cannot be set up. A link that stands does not mind.',
    cure: 'Set the clock, and let a time service keep it.',
  },
  'peer-clock-differs': {
    category: 'clock',
    severity: 'warning',
    expected: 'The clocks of the neighbours agree with that of this site',
    title: 'The clock of a neighbour differs',
    dependsOn: ['clock-differs'],
    dependsOnSame: [],
    meaning:
      'As above, when only some of the neighbours differ: then it is more likely theirs. With one neighbour alone nobody can tell which of the two clocks is wrong.',
    cure: 'Compare both clocks with a time service.',
  },
  'site-revoked': {
    category: 'trust',
    severity: 'error',
    expected: 'The site is a member of its network',
    title: 'This site was revoked',
    dependsOn: [],
    dependsOnSame: [],
    meaning: 'An issuer of the network has revoked this site: every other site refuses its links, its routing and its renewals, for good.',
    cure: 'If that was a mistake: redeem a new token. The site gets a new identity with it.',
  },
  'identity-conflict': {
    category: 'trust',
    severity: 'error',
    expected: 'Nobody else uses the identity of this site',
    title: 'Two processes have the same identity',
    dependsOn: [],
    dependsOnSame: [],
    meaning:
      'A router of the same id, or signed records of this id that this process did not make, were heard: a state folder was copied, or two hosts have one image.',
    cure: 'Stop one of the two, delete its site and let it redeem a token of its own.',
  },
  'site-fenced': {
    category: 'trust',
    severity: 'error',
    expected: 'The site takes part in the network',
    title: 'This site has fenced itself',
    dependsOn: ['identity-conflict'],
    dependsOnSame: [],
    meaning:
      'Of two processes with one identity this one stepped back: its addresses are withdrawn and its links closed, so that traffic reaches only one of them.',
    cure: 'Stop the other process, then restart this site; or delete this site and redeem a new token.',
  },
  'site-not-signing': {
    category: 'trust',
    severity: 'warning',
    expected: 'What this site says about itself is signed',
    title: 'This site does not sign what it says',
    dependsOn: ['router-not-configured', 'disk-full', 'membership-ended', 'site-revoked'],
    dependsOnSame: [],
    meaning:
      'No issuer has certified the signing key of the site yet: its state is from a version that had none, or the issuer is. Others believe it as far as the grants of its neighbours reach, and networks that require signatures refuse it.',
    cure: 'Upgrade the issuer and make it reachable: the next renewal certifies the key.',
  },
  'site-revoked-elsewhere': {
    category: 'trust',
    severity: 'info',
    expected: 'No other site was revoked',
    title: 'A site of the network was revoked',
    dependsOn: [],
    dependsOnSame: [],
    meaning: 'An issuer has revoked another site. Its links and addresses are refused everywhere.',
    cure: 'Nothing is to be done, unless it was a mistake.',
  },
  'router-quarantined': {
    category: 'trust',
    severity: 'warning',
    expected: 'No router is quarantined',
    title: 'A router is quarantined',
    dependsOn: ['site-revoked'],
    dependsOnSame: ['site-revoked-elsewhere'],
    meaning:
      'A neighbour sent what no honest router sends, such as a record with a wrong signature. Its link was closed, and it is refused for a while, longer each time.',
    cure: 'Find out what runs there. Revoke the site if it is not what it should be.',
  },
  'routing-refused': {
    category: 'trust',
    severity: 'warning',
    expected: 'No routing information was refused',
    title: 'Routing information was refused',
    dependsOn: ['identity-conflict', 'clock-differs'],
    dependsOnSame: ['router-quarantined', 'peer-clock-differs', 'site-revoked-elsewhere'],
    meaning: 'Records or messages in the name of a router could not be verified and were not believed. The audit log has each case.',
    cure: 'See in the audit log by which link they came, and what runs there.',
  },
  'grant-violation': {
    category: 'trust',
    severity: 'warning',
    expected: 'Sites keep to the addresses they are granted',
    title: 'A site goes beyond its grants',
    dependsOn: [],
    dependsOnSame: ['router-quarantined', 'site-revoked-elsewhere'],
    meaning:
      'A site announces an address, or sends to one, that its membership does not allow; or it sends messages in the name of others or to the management of a router. What it announced is not used, what it sent was refused.',
    cure: 'Give the site a token with the right grants, or delete its connector or listener.',
  },
  'link-refused': {
    category: 'trust',
    severity: 'info',
    expected: 'No link was refused',
    title: 'Somebody was refused who wanted to link',
    dependsOn: ['clock-differs'],
    dependsOnSame: ['router-quarantined', 'peer-clock-differs', 'site-revoked-elsewhere'],
    meaning:
      'A connection to the link port proved no identity, a wrong or revoked one, or did not sign where signing is required. A port that the whole Internet can reach is tried by strangers all day.',
    cure: 'If it is one of your sites: let it redeem a new token. Otherwise close the port to strangers.',
  },
  'neighbour-unsigned': {
    category: 'trust',
    severity: 'warning',
    expected: 'Every neighbour proves who it is',
    title: 'A neighbour cannot prove who it is',
    dependsOn: [],
    dependsOnSame: [],
    meaning:
      'The neighbour is a skupper-router, or a router without a membership: its id is what it says. It is believed as far as the grants of this site reach.',
    cure: 'Accept it, or refuse such neighbours with the setting require-signed of the Site.',
  },
  'membership-ended': {
    category: 'certificates',
    severity: 'error',
    expected: 'The membership of the site is valid',
    title: 'The membership of this site has ended',
    dependsOn: ['clock-differs'],
    dependsOnSame: [],
    meaning: 'The certificate that makes the site a member has ended: it gets no new TLS certificates, so that no link can be set up.',
    cure: 'Redeem a new token.',
  },
  'membership-ends-soon': {
    category: 'certificates',
    severity: 'warning',
    expected: 'The membership of the site lasts',
    title: 'The membership of this site ends soon',
    dependsOn: ['clock-differs', 'site-revoked'],
    dependsOnSame: [],
    meaning: 'Less than 14 days are left. Issuers extend a membership by themselves when the site can reach one; here none has.',
    cure: 'Make an issuer reachable, or redeem a new token.',
  },
  'certificate-ended': {
    category: 'certificates',
    severity: 'error',
    expected: 'The TLS certificate is valid',
    title: 'The TLS certificate of this site has ended',
    dependsOn: ['clock-differs', 'membership-ended', 'site-revoked', 'disk-full'],
    dependsOnSame: [],
    meaning: 'The certificate could not be renewed in time. Links that stand go on; none can be set up.',
    cure: 'Make an issuer reachable: the site renews within seconds. The log says what the issuers answered.',
  },
  'certificate-not-renewing': {
    category: 'certificates',
    severity: 'warning',
    expected: 'The TLS certificate renews in time',
    title: 'The TLS certificate is not being renewed',
    dependsOn: ['clock-differs', 'membership-ended', 'site-revoked', 'disk-full', 'link-down'],
    dependsOnSame: [],
    meaning: 'A certificate is renewed at half of its life. Three quarters are over, and it has not been.',
    cure: 'Make an issuer reachable. The log says what the issuers answered.',
  },
  'link-port-closed': {
    category: 'links',
    severity: 'error',
    expected: 'The link port is open',
    title: 'Links are not accepted',
    dependsOn: ['router-not-configured', 'disk-full'],
    dependsOnSame: [],
    meaning: 'The site is to accept links, and its router cannot listen on the port.',
    cure: 'Stop what uses the port, or choose another port or host.',
  },
  'link-endpoint-unreachable': {
    category: 'links',
    severity: 'error',
    expected: 'Something listens at every link endpoint',
    title: 'A link endpoint cannot be reached',
    dependsOn: [],
    dependsOnSame: [],
    meaning: 'Only `van check` tries it: a TCP connection from this host to the endpoint of a Link failed.',
    cure: 'Start the other site, open its firewall, or delete the link if the site is gone.',
  },
  'link-peer-not-proven': {
    category: 'links',
    severity: 'error',
    expected: 'Whoever listens there proves to be of this network',
    title: 'Another than a site of this network answers',
    dependsOn: ['clock-differs', 'site-revoked', 'membership-ended'],
    dependsOnSame: ['peer-clock-differs'],
    meaning: 'Only `van check` tries it: the TLS handshake with the endpoint of a Link gave no valid certificate of this network.',
    cure: 'See what runs there. If the site was made anew, delete the link and redeem a new token.',
  },
  'link-down': {
    category: 'links',
    severity: 'error',
    expected: 'Every link of this site is up',
    title: 'A link is down',
    dependsOn: [...causesOfNoLink, 'clock-differs'],
    dependsOnSame: [
      'link-endpoint-unreachable',
      'link-peer-not-proven',
      'router-quarantined',
      'peer-clock-differs',
      'site-revoked-elsewhere',
    ],
    meaning: 'A Link of this site is not connected, and trying has failed at least once. It is tried again all the time.',
    cure: 'See the evidence: it is what the last try ended with.',
  },
  'link-unstable': {
    category: 'links',
    severity: 'warning',
    expected: 'Links are stable',
    title: 'A link goes up and down',
    dependsOn: ['restarted-often', 'identity-conflict'],
    dependsOnSame: ['router-quarantined', 'link-down', 'peer-clock-differs', 'site-revoked-elsewhere'],
    meaning:
      'The connection to a neighbour was lost at least three times within ten minutes. Paths by such a link are used with a delay that grows.',
    cure: 'See the reasons in the logs of both sites; look at the network between them.',
  },
  'link-one-sided': {
    category: 'links',
    severity: 'warning',
    expected: 'Both ends of every link report it',
    title: 'Only one end reports a link',
    dependsOn: [],
    dependsOnSame: ['link-unstable', 'router-quarantined'],
    meaning:
      'One router says that it has a link to another, which does not say so. Such a link is not used. For a moment that is normal while a link comes up.',
    cure: 'Run `van check` at both ends.',
  },
  'version-differs': {
    category: 'version',
    severity: 'warning',
    expected: 'All sites run the same version',
    title: 'Sites run different versions',
    dependsOn: [],
    dependsOnSame: [],
    meaning: 'Sites work together over versions, but what is new works only where both ends have it.',
    cure: 'Upgrade the older ones.',
  },
  'site-unreachable': {
    category: 'reachability',
    severity: 'warning',
    expected: 'Sites seen lately can be reached',
    title: 'A site cannot be reached any more',
    dependsOn: ['link-down', ...causesOfNoLink],
    dependsOnSame: ['router-quarantined', 'site-revoked-elsewhere'],
    meaning: 'The site was part of the network within the last hour, and no path leads to it now. A site that was stopped looks the same.',
    cure: 'Run `van check` at that site.',
  },
  'listener-port-closed': {
    category: 'addresses',
    severity: 'error',
    expected: 'Every listener has its port',
    title: 'A listener cannot open its port',
    dependsOn: ['router-not-configured', 'disk-full'],
    dependsOnSame: [],
    meaning: 'The port of a Listener is in use, not allowed to this user, or its host is not one of this machine.',
    cure: 'Stop what uses the port, or create the listener with another port or host.',
  },
  'address-without-connector': {
    category: 'addresses',
    severity: 'warning',
    expected: 'Somebody offers every address that is listened for',
    title: 'Nobody who can be reached offers an address',
    dependsOn: ['site-unreachable', 'link-down', 'site-fenced', 'site-revoked', 'grant-violation'],
    dependsOnSame: ['resource-failed'],
    meaning:
      'This site has a listener for the address, and no site that can be reached has a connector for it. The port stays closed until there is one.',
    cure: 'Create a connector for the address where the server is.',
  },
  'service-type-differs': {
    category: 'addresses',
    severity: 'error',
    expected: 'Listeners and connectors of a routing key are of one type',
    title: 'Listeners and connectors of a routing key differ in type',
    dependsOn: [],
    dependsOnSame: [],
    meaning:
      'A routing key of this site has listeners or connectors of types that do not go together, such as tcp and http, here or at other sites. Connectors refuse what comes from a listener of another type.',
    cure: 'Give all listeners and connectors of the key the same type, or use another key.',
  },
  'connector-server-down': {
    category: 'addresses',
    severity: 'error',
    expected: 'The servers of the connectors accept connections',
    title: 'The server of a connector does not accept connections',
    dependsOn: [],
    dependsOnSame: [],
    meaning:
      'Only `van check` tries it: a TCP connection from this host to the server of a Connector failed. Clients elsewhere see their connections closed.',
    cure: 'Start the server, or change the connector.',
  },
};
