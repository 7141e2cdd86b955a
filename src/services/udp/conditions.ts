import type { AmqpError } from '../../amqp/performatives.ts';

/** The server's host says that nobody listens there, or that it cannot be reached. */
export const connectFailed = 'caravan:connect-failed';

/** The way back to the client is lost: the flow has to begin anew. */
export const flowLost: AmqpError = { condition: 'caravan:flow-lost', description: 'the way back to the client was lost' };
