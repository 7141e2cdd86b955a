import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import type { SecureContext, SecureContextOptions } from 'node:tls';
import { WeatherError } from '../base/errors.ts';
import type { SslProfileEntity } from '../management/entities.ts';

/** The certificates of one sslProfile, loaded. */
export interface TlsProfile {
  readonly entity: SslProfileEntity;
  /** For servers: `setSecureContext`. */
  readonly options: SecureContextOptions;
  readonly context: SecureContext;
}

/** Reads the files of a profile. Throws WeatherError `tls-profile` naming the file. */
export async function loadTlsProfile(entity: SslProfileEntity): Promise<TlsProfile> {
  const options: SecureContextOptions = { minVersion: 'TLSv1.3' };
  const read = async (file: string, attribute: string): Promise<Buffer> => {
    try {
      return await readFile(file);
    } catch (error) {
      throw new WeatherError('tls-profile', `sslProfile '${entity.name}': ${attribute} '${file}' cannot be read: ${messageOf(error)}`, {
        cause: error,
        remedy: 'check the path and that this user may read the file',
      });
    }
  };
  if (entity.caCertFile !== undefined) options.ca = await read(entity.caCertFile, 'caCertFile');
  if (entity.certFile !== undefined) options.cert = await read(entity.certFile, 'certFile');
  if (entity.privateKeyFile !== undefined) options.key = await read(entity.privateKeyFile, 'privateKeyFile');
  try {
    return { entity, options, context: createSecureContext(options) };
  } catch (error) {
    throw new WeatherError('tls-profile', `sslProfile '${entity.name}' has unusable certificates: ${messageOf(error)}`, {
      cause: error,
      remedy: 'the files must be PEM, and the key must belong to the certificate',
    });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
