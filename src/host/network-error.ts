/** What the operating system's error codes of sockets mean to an operator; `place` is `host:port`. Codes not listed keep their own message. */
export function explainNetworkError(error: Error, place: string): string {
  const code = (error as NodeJS.ErrnoException).code;
  switch (code) {
    case 'EADDRINUSE':
      return `${place} is in use by another program`;
    case 'EADDRNOTAVAIL':
      return `${place}: the address is not one of this host's`;
    case 'EACCES':
      return `${place}: this user may not use the port`;
    case 'ECONNREFUSED':
      return `${place} refused the connection: nothing listens there`;
    case 'ECONNRESET':
      return `${place} closed the connection`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `${place}: the host name cannot be resolved`;
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return `${place} cannot be reached from here`;
    case 'ETIMEDOUT':
      return `${place} does not answer`;
    case 'EMFILE':
    case 'ENFILE':
      return 'no file descriptors are left; raise the limit (ulimit -n)';
    default:
      return `${place}: ${tlsReason(error) ?? error.message}`;
  }
}

/** What went wrong in a TLS handshake, without the library's function names and source lines. */
function tlsReason(error: Error): string | undefined {
  const { library, reason } = error as Error & { readonly library?: string; readonly reason?: string };
  return library === 'SSL routines' && reason !== undefined ? `the TLS handshake failed: ${reason}` : undefined;
}
