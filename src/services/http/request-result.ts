/** Whether an answer with this status says that the server failed: then balancing counts it against the server. */
export function failsByStatus(status: number): boolean {
  return status >= 500 && status !== 501 && status !== 505;
}
