/** The two clocks of a process. Protocol machines get `nowMs` as a parameter; only composition roots hold a Clock. */
export interface Clock {
  /** Monotonic time in milliseconds from an arbitrary origin. Never goes back. */
  nowMs(): number;
  /** Wall-clock time in milliseconds since 1970. May jump; used for certificates and for people only. */
  wallMs(): number;
}
