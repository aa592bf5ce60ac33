/**
 * How a connection comes about: the name is looked up once, here, and the address that was looked at is the one that is
 * connected to. So a name that answers differently the next time (DNS rebinding) gains nothing.
 */
import { lookup } from 'node:dns/promises';
import { isIP, type LookupFunction, type Socket } from 'node:net';
import { buildConnector } from 'undici';
import { NeiraError } from '../../errors.ts';
import { specialRange } from './addresses.ts';

export interface Address {
  readonly address: string;
  readonly family: number;
}

/** Addresses of a name. */
export type Resolve = (hostname: string) => Promise<readonly Address[]>;

export const systemResolve: Resolve = (hostname) => lookup(hostname, { all: true });

export const CONNECT_TIMEOUT_MS = 5000;
const MAX_TLS_SESSIONS = 100;

/** @param isPrivate whether addresses that are not the world's are allowed */
export function connectorFor(isPrivate: boolean, resolve: Resolve): buildConnector.connector {
  const connect = buildConnector({
    timeout: CONNECT_TIMEOUT_MS,
    maxCachedSessions: MAX_TLS_SESSIONS,
    allowH2: false,
    lookup: lookupFor(isPrivate, resolve),
  } as buildConnector.BuildOptions & { readonly lookup: LookupFunction });
  return (options, callback) => {
    const { hostname } = options;
    // An address is not looked up, so that it has to be looked at here.
    const refusal = isPrivate || isIP(hostname) === 0 ? undefined : refusalOf(hostname, hostname);
    if (refusal) {
      callback(refusal, null);
      return;
    }
    connect(options, (error, socket) => {
      const wrong = error === null && socket ? wrongEnd(socket, hostname, isPrivate) : undefined;
      if (wrong) {
        socket?.on('error', () => {}).destroy();
        callback(wrong, null);
      } else if (error) callback(error, null);
      else callback(null, socket!);
    });
  };
}

function lookupFor(isPrivate: boolean, resolve: Resolve): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname).then(
      (found) => {
        const allowed = isPrivate ? found : found.filter(({ address }) => !specialRange(address));
        const [first] = allowed;
        if (!first) callback(refusalOf(hostname, found[0]?.address ?? '') ?? noAddress(hostname), '');
        else if (options.all) callback(null, [...allowed]);
        else callback(null, first.address, first.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, ''),
    );
  };
}

/** Where the connection really ends, whatever was asked for. */
function wrongEnd(socket: Socket, hostname: string, isPrivate: boolean): NeiraError | undefined {
  return isPrivate ? undefined : refusalOf(hostname, socket.remoteAddress ?? '');
}

function refusalOf(host: string, address: string): NeiraError | undefined {
  const range = specialRange(address);
  return range === undefined ? undefined : new NeiraError('NEIRA_ADDRESS_REFUSED', { host, address, range });
}

function noAddress(hostname: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${hostname} has no address`), { code: 'ENOTFOUND' });
}
