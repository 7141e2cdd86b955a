/** A request for this path gets the start of an answer that does not end. */
export const openPath = '/open';
