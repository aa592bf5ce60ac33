import { isIP } from 'node:net';
import { NeiraError } from '../errors.ts';

/**
 * Which addresses this host answers to, and which web pages may call it.
 *
 * A page on the internet can make a browser call 127.0.0.1, and can point its own name there (DNS rebinding). The
 * first is caught by `Origin`, the second by `Host`: both must name this host or an origin in NEIRA_ORIGINS.
 */
export interface OriginGuard {
  /** Tells the port that the server really got, when it was asked for 0. */
  setPort(port: number): void;
  /** @throws NEIRA_ORIGIN_REFUSED unless `host` is this host, on its port. */
  requireHost(host: string | undefined): void;
  /** @throws NEIRA_ORIGIN_REFUSED unless pages of `origin` may call. */
  requireOrigin(origin: string): void;
}

export interface OriginSettings {
  readonly host: string;
  readonly port: number;
  readonly origins: readonly string[];
}

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];
const WILDCARDS = new Set(['0.0.0.0', '::', '[::]', '']);

export function createOriginGuard(settings: OriginSettings): OriginGuard {
  const bound = isIP(settings.host) === 6 ? `[${settings.host}]` : settings.host.toLowerCase();
  const anyAddress = WILDCARDS.has(settings.host);
  const origins = settings.origins.map(normalOrigin);
  let hosts = new Set<string>();
  let own = new Set<string>();
  let port = settings.port;
  setPort(settings.port);

  function setPort(real: number): void {
    port = real;
    const names = anyAddress ? LOOPBACK : [...LOOPBACK, bound];
    const withPort = names.flatMap((name) => (real === 80 ? [name, `${name}:80`] : [`${name}:${real}`]));
    own = new Set(withPort.map((name) => `http://${name}`));
    hosts = new Set([...withPort, ...origins.map((origin) => new URL(origin).host)]);
  }

  /** Bound to every address, the host is reached by its numbers, which no name can be rebound to. */
  function isOwnAddress(host: string): boolean {
    if (!anyAddress) return false;
    const url = URL.parse(`http://${host}`);
    if (url === null || url.host !== host) return false;
    const address = url.hostname.replace(/^\[(.*)\]$/, '$1');
    return isIP(address) !== 0 && (url.port === '' ? 80 : Number(url.port)) === port;
  }

  return {
    setPort,
    requireHost(host) {
      if (host !== undefined && hosts.has(host)) return;
      const lower = host?.toLowerCase();
      if (lower !== undefined && (hosts.has(lower) || isOwnAddress(lower))) return;
      throw new NeiraError('NEIRA_ORIGIN_REFUSED', { header: 'Host', value: clip(host ?? '') });
    },
    requireOrigin(origin) {
      const normal = origin.toLowerCase();
      if (own.has(normal) || origins.includes(normal)) return;
      if (normal.startsWith('http://') && isOwnAddress(normal.slice('http://'.length))) return;
      throw new NeiraError('NEIRA_ORIGIN_REFUSED', { header: 'Origin', value: clip(origin) });
    },
  };
}

function normalOrigin(written: string): string {
  const url = URL.parse(written);
  if (url === null || url.origin === 'null') {
    throw new NeiraError('NEIRA_CONFIG_INVALID', {
      setting: 'NEIRA_ORIGINS',
      reason: `\`${written}\` is not an origin like https://example.org`,
    });
  }
  return url.origin;
}

function clip(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
