/** A bug put into the source text while it is loaded: `find` must be there exactly once. */
export interface PlantedBug {
  readonly name: string;
  /** From the project's folder. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** Takes more than a dozen seeds to be noticed. */
  readonly isSlow?: true;
}

/** What a router could do wrong, one thing each. The simulator has to notice every one of them. */
export const plantedBugs: readonly PlantedBug[] = [
  {
    name: 'routing follows the wall clock',
    file: 'src/router/control-plane.ts',
    find: 'this.#clock = clock;',
    replace: `const apartMs = clock.wallMs() - clock.nowMs();
    this.#clock = { nowMs: () => clock.wallMs() - apartMs, wallMs: () => clock.wallMs() };`,
  },
  {
    name: 'multicast without the filter of origins',
    file: 'src/forwarding/forwarder.ts',
    find: 'if (!router.validOrigins.has(origin) || hasPassed(message.head, router.nextHop)) continue;',
    replace: '',
  },
  {
    name: 'the loss of a link is not told to those whose messages were on it',
    file: 'src/forwarding/remote-leg.ts',
    find: 'this.#upstream.update(state, true, 0, this.#neighbour.connection.opened ? undefined : linkLost);',
    replace: 'if (state === DeliveryState.none) this.#upstream.update(state, true, 0, linkLost);',
  },
  {
    name: 'credit of messages that are passed on is not returned',
    file: 'src/forwarding/inbound-message.ts',
    find: `    this.#replenish();
    const routed`,
    replace: '    const routed',
    isSlow: true,
  },
  {
    name: 'a released stream is sent again without end',
    file: 'src/services/tcp/listener.ts',
    find: 'if (this.tcp.gone || this.#tries > maxRetries || nowMs - this.#failedFirstMs >= patienceMs) return false;',
    replace: 'if (this.tcp.gone) return false;',
  },
  {
    name: 'a stream is sent again after a server has answered',
    file: 'src/services/tcp/listener.ts',
    find: 'if (!this.#answered && settled && state !== DeliveryState.accepted) {',
    replace: 'if (settled && state !== DeliveryState.accepted) {',
    isSlow: true,
  },
  {
    name: 'the outcome of a released message is lost',
    file: 'src/forwarding/inbound-message.ts',
    find: 'this.#delivery.update(state, settled, sectionOffset, error, mayWait);',
    replace: 'if (state !== 4) this.#delivery.update(state, settled, sectionOffset, error, mayWait);',
  },
  {
    name: 'the last octets of a stream are dropped when it is passed on',
    file: 'src/forwarding/inbound-message.ts',
    find: 'downstream.send(bytes, start, end, more);',
    replace: 'downstream.send(bytes, more ? start : end, end, more);',
  },
  {
    name: 'the end of a connection is not passed to the server',
    file: 'src/services/tcp/tcp-stream.ts',
    find: '    this.#inComplete = true;\n    socket.end();',
    replace: '    this.#inComplete = true;',
  },
  {
    name: 'messages that were lost with a link stay counted',
    file: 'src/forwarding/remote-leg.ts',
    find: `    this.#finish(state);
    this.#upstream.update(state, true, 0,`,
    replace: '    this.#done = true;\n    this.#upstream.update(state, true, 0,',
  },
  {
    name: 'the first of several equally near consumers gets everything',
    file: 'src/forwarding/forwarder.ts',
    find: 'const turn = state.turn++;',
    replace: 'const { turn } = state;',
  },
  {
    name: 'a silent neighbour is given up far too late',
    file: 'src/routing/hello.ts',
    find: 'if (at.peerIntervalMs === undefined) return helloMaxAgeMs;',
    replace: 'if (at.peerIntervalMs === undefined || helloMaxAgeMs > 0) return 100_000;',
  },
  {
    name: 'a message is settled twice',
    file: 'src/forwarding/remote-leg.ts',
    find: 'this.#upstream.update(state, settled, sectionOffset, error);',
    replace:
      'this.#upstream.update(state, settled, sectionOffset, error);\n    if (settled) this.#upstream.update(state, settled, sectionOffset, error);',
  },
  {
    name: 'records that are not newer are taken again',
    file: 'src/routing/signed-record.ts',
    find: 'return compareBytes(record.signature, held.signature) > 0;',
    replace: 'return compareBytes(record.signature, held.signature) >= 0;',
  },
  {
    name: 'addresses are taken without a grant',
    file: 'src/routing/signed-addresses.ts',
    find: "return credential.advertise.allows(address) || this.#report(credential, address, 'advertise');",
    replace: 'return true;',
    isSlow: true,
  },
  {
    name: 'signatures are not checked',
    file: 'src/routing/signed-database.ts',
    find: 'if (!this.#trust.verify(credential, record.signed, record.signature)) {',
    replace: 'if (record.signature.length !== 64) {',
    isSlow: true,
  },
  {
    name: 'messages are passed on whoever sends them',
    file: 'src/forwarding/forwarder.ts',
    find: 'if (!this.#table.mayConsume(origin, parsed.name)) {',
    replace: "if (parsed.name === '') {",
  },
  {
    name: 'paths are not brought up to date',
    file: 'src/routing/engine.ts',
    find: '    this.#topology.update();',
    replace: '    if (this.#topology.version < 3) this.#topology.update();',
  },
  {
    name: 'an epoch is used before it is durable',
    file: 'src/sim/machine.ts',
    find: '    this.disk.sync();\n    this.epochs.push(epoch);',
    replace: '    this.epochs.push(epoch);',
  },
  {
    name: 'an edge counts though only one end reports it',
    file: 'src/routing/link-state-graph.ts',
    find: 'const counts = from === self || far.open || placeOf(far.peers, from) >= 0;',
    replace: 'const counts = true;',
  },
  {
    name: 'a link counts as working though the other end does not hear',
    file: 'src/routing/hello.ts',
    find: 'const confirms = hello.seen.includes(selfId);',
    replace: 'const confirms = hello.seen.length >= 0;',
  },
  {
    name: 'the credential of another router will do',
    file: 'src/routing/signed-database.ts',
    find: "return verdict === 'refused' || verdict.routerId !== record.origin ? 'credential refused' : verdict;",
    replace: "return verdict === 'refused' ? 'credential refused' : verdict;",
    isSlow: true,
  },
  {
    name: 'credit is not waited for',
    file: 'src/amqp/outgoing-link.ts',
    find: 'return this.#writing === undefined && this.#queue.length === 0 && this.#credit > 0 && this.session.remoteIncomingWindow > 0;',
    replace: 'return this.#writing === undefined && this.#queue.length === 0 && this.session.remoteIncomingWindow > 0;',
  },
  {
    name: 'a part that was away does not hear of a revocation',
    file: 'src/routing/statements.ts',
    find: 'return [...this.#held].filter(([name]) => !known.has(name)).map(([, bytes]) => bytes);',
    replace: 'return [...this.#held].filter(([name]) => known.has(name)).map(([, bytes]) => bytes);',
    isSlow: true,
  },
  {
    name: 'what is known of a revoked router is kept',
    file: 'src/routing/signed-database.ts',
    find: "return credential !== undefined && this.#trust.credentialOf(credential.payload) === 'refused';",
    replace: "return credential === undefined && this.#trust.credentialOf(new Uint8Array(0)) === 'refused';",
    isSlow: true,
  },
  {
    name: 'of two processes with one identity neither gives way',
    file: 'src/routing/identity-fence.ts',
    find: 'if (lives && order <= 0) return',
    replace: 'if (lives && order === 0) return',
  },
  {
    name: 'of two processes with one identity both give way',
    file: 'src/routing/identity-fence.ts',
    find: 'if (lives && order <= 0) return',
    replace: 'if (lives) return',
    isSlow: true,
  },
  {
    name: 'a process that has given way lets links in again',
    file: 'src/router/control-plane.ts',
    find: '      this.#fenced = true;\n',
    replace: '      this.#fenced = false;\n',
    isSlow: true,
  },
];
