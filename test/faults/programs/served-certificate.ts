/** `node served-certificate.ts HOST PORT`: prints the serial number of the certificate that a link port shows. */
import { connect } from 'node:tls';

const [host = '', port = ''] = process.argv.slice(2);
// Whose certificate it is does not matter here, only which: nothing is sent.
const socket = connect({ host, port: Number(port), rejectUnauthorized: false, ALPNProtocols: ['amqp'], minVersion: 'TLSv1.3' }, () => {
  console.log(socket.getPeerX509Certificate()?.serialNumber ?? 'none');
  socket.destroy();
});
socket.on('error', (error) => console.log(`failed ${error.message}`));
socket.setTimeout(3000, () => socket.destroy(new Error('timeout')));
