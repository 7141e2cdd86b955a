export { freePort } from '../../examples/demo/free-port.ts';
