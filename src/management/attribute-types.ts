import { flag, integer, mismatch, text, type Schema } from './schema.ts';

/**
 * Values of router attributes. skupper-router's configuration files and its control plane write numbers and booleans as
 * text ("55671", "yes") as often as plain, so both are read here; resources (YAML) are strict.
 */

const largestInteger = 0x7fff_ffff;

export function number(minimum: number, maximum: number = largestInteger): Schema<number> {
  const strict = integer(minimum, maximum);
  return {
    type: strict.type,
    read(value, path): number {
      const plain = typeof value === 'string' && /^-?\d{1,10}$/.test(value) ? Number(value) : value;
      return strict.read(plain, path);
    },
  };
}

const truthTexts: Readonly<Record<string, boolean>> = { true: true, yes: true, on: true, false: false, no: false, off: false };

export function truth(): Schema<boolean> {
  const strict = flag();
  return {
    type: strict.type,
    read(value, path): boolean {
      const name = typeof value === 'string' ? value.toLowerCase() : '';
      return strict.read(Object.hasOwn(truthTexts, name) ? truthTexts[name] : value, path);
    },
  };
}

/** The symbolic port names that skupper-router's documentation uses (IANA service names). */
const portNames: Readonly<Record<string, number>> = { amqp: 5672, amqps: 5671 };

/** A TCP port, as a number, as digits or by name. 0 asks for a free port and is allowed only where one listens. */
export function port(minimum: 0 | 1): Schema<number> {
  const digits = number(minimum, 65535);
  return {
    type: `port number from ${minimum} to 65535`,
    read(value, path): number {
      if (typeof value === 'string' && Object.hasOwn(portNames, value)) return portNames[value] ?? 0;
      return digits.read(value, path);
    },
  };
}

/** Longest entity name: room for names made of two resource names (253 each) and a word between. */
export const nameLengthLimit = 640;

/** The name of an entity: what management operations and other entities refer to it by. */
export function entityName(): Schema<string> {
  return text({ maximumLength: nameLengthLimit, pattern: /^[^\p{Cc}\p{Cs}]+$/u, patternMeaning: 'a name of printable characters' });
}

/** A service address (routing key). The limit keeps an address inside one short string of the routing protocol. */
export function address(): Schema<string> {
  return text({ maximumLength: 250, pattern: /^[^\p{Cc}\p{Cs}\s]+$/u, patternMeaning: 'an address of 1 to 250 characters without blanks' });
}

/** Addresses that clients may use: each a name, the beginning of names with `*`, or `*`. */
export function addressPatterns(): Schema<string> {
  return text({
    maximumLength: 4096,
    pattern: /^(?:[^\p{Cc}\p{Cs}\s,*]+\*?|\*)(?:[\s,]+(?:[^\p{Cc}\p{Cs}\s,*]+\*?|\*))*$/u,
    patternMeaning: 'addresses, separated by commas; a * at the end of one stands for anything',
  });
}

/** A host name or IP literal; an empty text means every local address where `allowEmpty`. DNS names end at 253 characters. */
export function host(allowEmpty: boolean): Schema<string> {
  return text({
    minimumLength: allowEmpty ? 0 : 1,
    maximumLength: 255,
    pattern: /^(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?|\[?[0-9A-Fa-f:.]+(?:%[A-Za-z0-9_.-]+)?\]?|)$/,
    patternMeaning: 'a host name or IP address',
  });
}

const mechanisms = ['EXTERNAL', 'ANONYMOUS', 'PLAIN'];

export function saslMechanisms(): Schema<string> {
  const words = text({ maximumLength: 255 });
  return {
    type: `SASL mechanisms (${mechanisms.join(', ')}) separated by blanks`,
    read(value, path): string {
      const names = words.read(value, path).split(/\s+/).filter(Boolean);
      const unknown = names.find((name) => !mechanisms.includes(name));
      if (unknown !== undefined || names.length === 0) throw mismatch(path, this.type, unknown ?? value);
      return names.join(' ');
    },
  };
}

const endpointCountLimit = 16;

/** `host:port,host:port`: other endpoints of the same peer. IPv6 literals stand in brackets. */
export function endpointList(): Schema<string> {
  return {
    type: 'host:port list separated by commas',
    read(value, path): string {
      const endpoints = text({ maximumLength: 4096 }).read(value, path).split(',');
      if (endpoints.length > endpointCountLimit) throw mismatch(path, `at most ${endpointCountLimit} endpoints`, value);
      for (const endpoint of endpoints) {
        const { host: name, port: digits } = splitEndpoint(endpoint.trim());
        if (name === '' || digits === '') throw mismatch(path, this.type, endpoint);
        host(false).read(name, path);
        number(1, 65535).read(digits, path);
      }
      return endpoints.map((endpoint) => endpoint.trim()).join(',');
    },
  };
}

/** Splits `host:port` or `[v6]:port`. Either part is empty when it is not there. The brackets do not belong to the host. */
export function splitEndpoint(endpoint: string): { host: string; port: string } {
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(endpoint);
  return { host: match?.[1] ?? match?.[2] ?? '', port: match?.[3] ?? '' };
}

export function logLevels(): Schema<string> {
  const level = '(?:trace|debug|info|notice|warning|error|critical)\\+?';
  return text({
    maximumLength: 128,
    pattern: new RegExp(`^(?:none|${level}(?:,${level})*)$`),
    patternMeaning: "log levels such as 'info+' or 'debug,warning+'",
  });
}
