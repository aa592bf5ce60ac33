import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { readKey } from './base/secret-box.ts';
import { isNeiraError, NeiraError } from './errors.ts';
import { compileSchema, parseYaml } from './schema.ts';

export type Durability = 'power' | 'process';
export type TransportName = (typeof TRANSPORTS)[number];
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

const TRANSPORTS = ['local'] as const;

/** Master keys of the secrets that the environment gives; `previous` opens what `current` did not seal. */
export interface SecretKeys {
  readonly current?: Buffer;
  readonly previous?: Buffer;
}

/** Every setting of a host, with its value. */
export interface Config {
  /** Absolute. */
  readonly home: string;
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** Absent: the host makes one at first boot and keeps it in `admin.token`. */
  readonly adminToken?: string;
  readonly safeMode: boolean;
  readonly durability: Durability;
  readonly cells: number;
  /** Origins that browsers may call from, besides the host's own. */
  readonly origins: readonly string[];
  readonly logLevel: LogLevel;
  /** Versions of a plugin that are kept, the serving one included (HOST-27). */
  readonly versionsKept: number;
  readonly http: {
    readonly bodyLimitBytes: number;
    readonly uploadLimitBytes: number;
    readonly ratePerMinute: number;
    readonly maxConnections: number;
  };
  readonly signatures: { readonly require: boolean; readonly trusted: Readonly<Record<string, string>> };
  /** `transport`: how events go to other hubs (bus/transport); `local`: they do not. */
  readonly events: { readonly transport: TransportName };
  /** Whether turns are recorded, so that they can be run again. */
  readonly transcripts: boolean;
  readonly secretKeys: SecretKeys;
  /** `otlpUrl`: of the collector that spans are sent to; absent: none are. */
  readonly tracing: { readonly otlpUrl?: string };
}

interface FileSettings {
  readonly host?: string;
  readonly port?: number;
  readonly admin_token?: string;
  readonly safe_mode?: boolean;
  readonly durability?: Durability;
  readonly cells?: number;
  readonly origins?: readonly string[];
  readonly log?: LogLevel;
  readonly allow_remote?: boolean;
  readonly versions_kept?: number;
  readonly http?: {
    readonly body_limit_kb?: number;
    readonly upload_limit_kb?: number;
    readonly rate_per_minute?: number;
    readonly max_connections?: number;
  };
  readonly signatures?: { readonly require?: boolean; readonly trusted?: Readonly<Record<string, string>> };
  readonly events?: { readonly transport?: TransportName };
  readonly transcripts?: boolean;
  readonly tracing?: { readonly otlp?: string };
}

const integer = (minimum: number, maximum: number) => ({ type: 'integer', minimum, maximum });
const settings = (properties: Record<string, unknown>) => ({
  type: 'object',
  additionalProperties: false,
  properties,
});

const FILE_SCHEMA = settings({
  host: {
    type: 'string',
    pattern: '^[A-Za-z0-9.:%_-]{1,255}$',
    'x-say': 'must be an address or a host name',
  },
  port: integer(0, 65535),
  admin_token: {
    type: 'string',
    pattern: '^[!-~]{8,256}$',
    'x-say': 'must be 8 to 256 visible ASCII characters',
  },
  safe_mode: { type: 'boolean' },
  durability: { enum: ['power', 'process'] },
  cells: integer(1, 64),
  origins: {
    type: 'array',
    items: {
      type: 'string',
      pattern: '^https?://[^/?#\\s@,]+$',
      'x-say': 'must be an origin, for example https://app.example.org',
    },
  },
  log: { enum: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] },
  allow_remote: { type: 'boolean' },
  versions_kept: integer(1, 1000),
  http: settings({
    body_limit_kb: integer(1, 1024 * 64),
    upload_limit_kb: integer(1, 1024 * 256),
    rate_per_minute: integer(1, 10_000_000),
    max_connections: integer(1, 65_536),
  }),
  signatures: settings({
    require: { type: 'boolean' },
    trusted: {
      type: 'object',
      additionalProperties: {
        type: 'string',
        pattern: '^[A-Za-z0-9+/]{43}=$',
        'x-say': 'must be an Ed25519 public key: 32 bytes in base64',
      },
    },
  }),
  events: settings({
    transport: { enum: TRANSPORTS, 'x-say': `must be one of those that exist: ${TRANSPORTS.join(', ')}` },
  }),
  transcripts: { type: 'boolean' },
  tracing: settings({
    otlp: {
      type: 'string',
      pattern: '^https?://[^\\s@?#]{1,2048}$',
      'x-say': 'must be an address without credentials, for example http://127.0.0.1:4318',
    },
  }),
});

/** Environment variable → setting, and how its text is read. What cannot be read stays text and is refused. */
const VARIABLES: Readonly<Record<string, readonly [keyof FileSettings, (text: string) => unknown]>> = {
  NEIRA_HOST: ['host', (text) => text],
  NEIRA_PORT: ['port', toInteger],
  NEIRA_ADMIN_TOKEN: ['admin_token', (text) => text],
  NEIRA_SAFE_MODE: ['safe_mode', toBoolean],
  NEIRA_TRANSCRIPTS: ['transcripts', toBoolean],
  NEIRA_DURABILITY: ['durability', (text) => text],
  NEIRA_CELLS: ['cells', toInteger],
  NEIRA_ORIGINS: [
    'origins',
    (text) =>
      text
        .split(',')
        .map((each) => each.trim())
        .filter((each) => each !== ''),
  ],
  NEIRA_LOG: ['log', (text) => text],
  NEIRA_TRANSPORT: ['events', (text) => ({ transport: text })],
  NEIRA_OTLP_URL: ['tracing', (text) => ({ otlp: text })],
};

/**
 * The settings: environment over `$NEIRA_HOME/neira.yaml` over defaults; `--safe` boots in safe mode.
 * An empty variable counts as unset.
 * @throws NEIRA_CONFIG_INVALID naming the setting, and the variable where it came from one.
 */
export function loadConfig(
  env: Readonly<Record<string, string | undefined>>,
  argv: readonly string[] = [],
): Config {
  const unknown = argv.find((argument) => argument.startsWith('-') && argument !== '--safe');
  if (unknown !== undefined) throw refuse(unknown, 'the only option is --safe');
  const home = resolve(env['NEIRA_HOME'] || '.neira');
  const file = readSettings(join(home, 'neira.yaml'));
  const given: Record<string, unknown> = {};
  for (const [variable, [setting, read]] of Object.entries(VARIABLES)) {
    const text = env[variable];
    if (text === undefined || text === '') continue;
    given[setting] = read(text);
    const [problem] = compileSchema(FILE_SCHEMA).problems({ [setting]: given[setting] });
    if (problem !== undefined) throw refuse(variable, problem.message);
  }
  const chosen: FileSettings = { ...file, ...given };
  const host = chosen.host ?? '127.0.0.1';
  if (!isLoopback(host) && given['host'] === undefined && chosen.allow_remote !== true) {
    throw refuse(
      'host',
      `\`${host}\` lets other machines in; say so with \`allow_remote: true\` or NEIRA_HOST`,
    );
  }
  const otlpUrl = chosen.tracing?.otlp;
  if (otlpUrl !== undefined && !URL.canParse(otlpUrl)) {
    const setting = given['tracing'] === undefined ? 'tracing.otlp' : 'NEIRA_OTLP_URL';
    throw refuse(setting, 'it is not an address like http://127.0.0.1:4318');
  }
  return {
    home,
    host,
    port: chosen.port ?? 8787,
    ...(chosen.admin_token === undefined ? {} : { adminToken: chosen.admin_token }),
    safeMode: argv.includes('--safe') || (chosen.safe_mode ?? false),
    durability: chosen.durability ?? 'power',
    cells: chosen.cells ?? Math.max(1, availableParallelism() - 1),
    origins: (chosen.origins ?? []).map((origin) => origin.toLowerCase()),
    logLevel: chosen.log ?? 'info',
    versionsKept: chosen.versions_kept ?? 10,
    http: {
      bodyLimitBytes: (chosen.http?.body_limit_kb ?? 1024) * 1024,
      uploadLimitBytes: (chosen.http?.upload_limit_kb ?? 20_480) * 1024,
      ratePerMinute: chosen.http?.rate_per_minute ?? 60_000,
      maxConnections: chosen.http?.max_connections ?? 512,
    },
    signatures: { require: chosen.signatures?.require ?? false, trusted: chosen.signatures?.trusted ?? {} },
    events: { transport: chosen.events?.transport ?? 'local' },
    transcripts: chosen.transcripts ?? true,
    tracing: otlpUrl === undefined ? {} : { otlpUrl },
    secretKeys: secretKeysOf(env),
  };
}

/** From the environment alone: a key in a file beside the database is what `secrets.key` is for. */
function secretKeysOf(env: Readonly<Record<string, string | undefined>>): SecretKeys {
  const keyIn = (variable: string): Buffer | undefined => {
    const text = env[variable];
    if (text === undefined || text === '') return undefined;
    const key = readKey(text);
    if (key === undefined) throw refuse(variable, 'it is not 32 bytes in base64 or hex');
    return key;
  };
  const current = keyIn('NEIRA_SECRETS_KEY');
  const previous = keyIn('NEIRA_SECRETS_KEY_PREVIOUS');
  return { ...(current && { current }), ...(previous && { previous }) };
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);
}

function readSettings(path: string): FileSettings {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw refuse('neira.yaml', `it cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  let value: unknown;
  try {
    value = parseYaml(text, 'neira.yaml') ?? {};
  } catch (error) {
    throw isNeiraError(error) ? refuse('neira.yaml', String(error.details['reason'])) : error;
  }
  const [problem] = compileSchema(FILE_SCHEMA).problems(value);
  if (problem !== undefined)
    throw refuse(problem.path === '$' ? 'neira.yaml' : problem.path, problem.message);
  return value as FileSettings;
}

function toBoolean(text: string): unknown {
  return { 1: true, true: true, 0: false, false: false }[text] ?? text;
}

function toInteger(text: string): unknown {
  return /^\d{1,9}$/.test(text) ? Number(text) : text;
}

function refuse(setting: string, reason: string): NeiraError {
  return new NeiraError('NEIRA_CONFIG_INVALID', { setting, reason });
}
