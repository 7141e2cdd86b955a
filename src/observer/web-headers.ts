/** Header fields of every answer. Nothing may be loaded from elsewhere, embedded elsewhere, or guessed to be of another type. */

/** For the page: its own scripts, styles and images, no inline code, and no way to make markup out of text (trusted types). */
const pagePolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "font-src 'self'",
  "manifest-src 'self'",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

/** For everything else: opened as a page of its own, it can do nothing. */
const dataPolicy = "default-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox";

const unusedFeatures = [
  'accelerometer',
  'autoplay',
  'camera',
  'clipboard-read',
  'display-capture',
  'encrypted-media',
  'geolocation',
  'gyroscope',
  'magnetometer',
  'microphone',
  'midi',
  'payment',
  'publickey-credentials-get',
  'screen-wake-lock',
  'usb',
];

const commonHeaders: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': [...unusedFeatures.map((feature) => `${feature}=()`), 'clipboard-write=(self)'].join(', '),
};

/** One year, as browsers' rules for it ask at least. Sent over TLS only: elsewhere browsers ignore it. */
const strictTransport = { 'strict-transport-security': 'max-age=31536000; includeSubDomains' };

/** The fields of an answer: of the page itself, or of anything else. */
export function securityHeaders(content: 'page' | 'data', isOverTls: boolean): Readonly<Record<string, string>> {
  return {
    ...commonHeaders,
    'content-security-policy': content === 'page' ? pagePolicy : dataPolicy,
    ...(isOverTls ? strictTransport : {}),
  };
}
