/**
 * What `permissions.io.http` allows, in flat names that are asked, granted and compared one by one, and which of
 * them an HTTP request falls under. Pure, like all that decides.
 *
 * Each name carries everything that one permission says – method, scheme, host, path, and what is allowed beside –
 * so that no two of them add up to more than was consented to:
 * `io.request:GET https://api.example.org/v1`, and the same with ` private` or ` idempotent` behind it.
 */

/** They change nothing on the other side, so that sending them again does no harm (RFC 9110, 9.2.1). */
export const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

export interface HttpRule {
  /** `api.example.org`, `*.example.org` for all below it, with `:<port>` where it is not the scheme's own. */
  readonly host: string;
  readonly methods: readonly string[];
  /** Prefixes that end at a segment; every path without them. */
  readonly paths?: readonly string[];
  /** `https` without it. */
  readonly schemes?: readonly string[];
  /** Addresses of this machine and of its networks are allowed. */
  readonly private?: boolean;
  /** What was sent and not answered may be sent again, whatever the method. */
  readonly idempotent?: boolean;
}

/** What may be allowed beside the request itself. */
export type HttpFlag = 'private' | 'idempotent';

/** Where a request goes, in the one form that is compared. */
export interface HttpTarget {
  readonly method: string;
  readonly scheme: string;
  /** With its port, unless that is the scheme's own. */
  readonly host: string;
  /** As it is sent. */
  readonly path: string;
  /** As a lenient server may understand it; undefined when that cannot be told. */
  readonly plainPath: string | undefined;
}

const PREFIX = 'io.request:';
const NAME = /^io\.request:([A-Z]+) (https?):\/\/([^/ ]+)(\/[^ ]*)(?: (private|idempotent))?$/;
export const MAX_URL_CHARS = 8192;
/** What URL parsers drop or turn into something else. */
function isSmuggling(text: string): boolean {
  return /[\s\\]/.test(text) || [...text].some((char) => char < ' ' || char === '\u007f');
}

export function httpPermissionNames(rule: HttpRule): string[] {
  const { methods, schemes = ['https'], paths = ['/'] } = rule;
  const flags = (['private', 'idempotent'] as const).filter((flag) => rule[flag] === true);
  return methods.flatMap((method) =>
    schemes.flatMap((scheme) =>
      paths.flatMap((path) => {
        const name = `${PREFIX}${method} ${scheme}://${hostOf(scheme, rule.host)}${prefixOf(path)}`;
        return [name, ...flags.map((flag) => `${name} ${flag}`)];
      }),
    ),
  );
}

/** Why a rule means nothing; undefined for a good one. */
export function problemOfRule({ host, schemes = ['https'] }: HttpRule): string | undefined {
  try {
    for (const scheme of schemes) hostOf(scheme, host);
    return undefined;
  } catch {
    return 'it is no host name or address with an optional port';
  }
}

/**
 * The one of the asked permissions that allows the request, a granted one before others; where nothing was asked
 * that does, the name of the request itself, so that the refusal says what is missing.
 */
export function httpPermission(
  { asked, granted }: { readonly asked: readonly string[]; readonly granted: readonly string[] },
  target: HttpTarget,
  flag?: HttpFlag,
): string {
  const allowing = asked.filter((name) => allows(name, target, flag));
  const { method, scheme, host, path } = target;
  const own = `${PREFIX}${method} ${scheme}://${host}${path}${flag === undefined ? '' : ` ${flag}`}`;
  return allowing.find((name) => granted.includes(name)) ?? allowing[0] ?? own;
}

function allows(name: string, target: HttpTarget, flag: HttpFlag | undefined): boolean {
  const [, method, scheme, host, path, named] = NAME.exec(name) ?? [];
  if (host === undefined || path === undefined) return false;
  return (
    method === target.method &&
    scheme === target.scheme &&
    named === flag &&
    coversHost(host, target.host) &&
    coversPath(path, target.path) &&
    (path === '/' || (target.plainPath !== undefined && coversPath(path, target.plainPath)))
  );
}

function coversHost(rule: string, host: string): boolean {
  return rule.startsWith('*.')
    ? host.length > rule.length - 1 && host.endsWith(rule.slice(1))
    : rule === host;
}

function coversPath(prefix: string, path: string): boolean {
  return prefix === '/' || path === prefix || path.startsWith(`${prefix}/`);
}

/** As a URL has it: lower case, addresses in their one spelling, without the scheme's own port. */
function hostOf(scheme: string, host: string): string {
  return new URL(`${scheme}://${host}/`).host;
}

function prefixOf(path: string): string {
  const trimmed = path.replace(/\/+$/, '');
  return trimmed === '' ? '/' : trimmed;
}

export type ParsedTarget =
  | { readonly url: URL; readonly target: HttpTarget }
  | { readonly url?: undefined; readonly problem: string };

/** The address that a plugin names: taken as a URL parser reads it, and refused where others may read it otherwise. */
export function parseTarget(method: string, text: string): ParsedTarget {
  if (text.length > MAX_URL_CHARS) return { problem: `it is longer than ${MAX_URL_CHARS} characters` };
  if (isSmuggling(text))
    return { problem: 'it holds a backslash, a space or a control character; write them percent-encoded' };
  if (text.includes('#')) return { problem: 'it has a fragment, which is never sent' };
  return targetOf(method, text);
}

/** The address that an answer redirects to. */
export function parseRedirect(method: string, location: string, from: URL): ParsedTarget {
  if (location.length > MAX_URL_CHARS) return { problem: `it is longer than ${MAX_URL_CHARS} characters` };
  return targetOf(method, location, from);
}

function targetOf(method: string, text: string, base?: URL): ParsedTarget {
  let url: URL;
  try {
    url = new URL(text, base);
  } catch {
    return { problem: 'it is no absolute address like https://api.example.org/v1' };
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    return { problem: `its scheme is \`${url.protocol.slice(0, -1)}\`, not https or http` };
  if (url.username !== '' || url.password !== '')
    return { problem: 'it carries a user name or a password; send them in a header' };
  url.hash = '';
  return { url, target: describeTarget(method, url) };
}

export function describeTarget(method: string, { protocol, host, pathname }: URL): HttpTarget {
  return { method, scheme: protocol.slice(0, -1), host, path: pathname, plainPath: plainPathOf(pathname) };
}

const MAX_DECODINGS = 4;
const SEPARATORS: Readonly<Record<string, string>> = {
  '2e': '.',
  '2f': '/',
  '5c': '\\',
  '25': '%',
  '3b': ';',
};

/**
 * The path as the most lenient server would see it: separators and dots decoded, even twice, backslashes taken for
 * slashes, parameters of segments (`..;x`) left out, dot segments resolved.
 */
function plainPathOf(path: string): string | undefined {
  let plain = path;
  for (let round = 0; ; round++) {
    const decoded = plain.replace(
      /%(2e|2f|5c|25|3b)/gi,
      (_, code: string) => SEPARATORS[code.toLowerCase()]!,
    );
    if (decoded === plain) break;
    if (round === MAX_DECODINGS) return undefined;
    plain = decoded;
  }
  const segments: string[] = [];
  for (const whole of plain.split(/[/\\]+/)) {
    const segment = whole.replace(/;.*$/, '');
    if (segment === '..') segments.pop();
    else if (segment !== '.' && segment !== '') segments.push(segment);
  }
  return `/${segments.join('/')}`;
}
