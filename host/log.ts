import { type DestinationStream, destination, type Logger, pino, stdSerializers } from 'pino';
import type { LogLevel } from './config.ts';

export type { Logger } from 'pino';

export interface LogOptions {
  readonly level?: LogLevel;
  /** Default `stderr`: stdout belongs to the line that names the address. */
  readonly to?: 'stdout' | 'stderr' | DestinationStream;
}

const HIDDEN = '[hidden]';
const MAX_DEPTH = 8;
const SECRET_FIELD =
  /(?:^|[_.-])(?:token|authorization|cookie|secret|password|passphrase|private_?key|api_?key)s?$|^set-cookie$/i;
const BEARER = /\b(Bearer\s+)[^\s"'\\,]+/gi;

/**
 * The host's log: one JSON object a line. Whatever is in a field named like a secret is hidden, at any
 * depth, and so is what follows `Bearer` in any text. `logger.child({plugin})` adds fields.
 */
export function createLogger(options: LogOptions = {}): Logger {
  const to = options.to ?? 'stderr';
  const stream = typeof to === 'string' ? destination({ dest: to === 'stdout' ? 1 : 2, sync: true }) : to;
  const logger: Logger = pino(
    {
      level: options.level ?? 'info',
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: hideError, error: hideError },
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) => hide(fields, 0) as Record<string, unknown>,
      },
      hooks: { streamWrite: (line) => masks.get(logger)!(line.replace(BEARER, `$1${HIDDEN}`)) },
    },
    stream,
  );
  masks.set(logger, (line) => line);
  // pino's formatters do not see what a child is bound to; children inherit this method.
  const child = logger.child as unknown as (this: Logger, fields: object, options?: object) => Logger;
  logger.child = function (this: Logger, fields: object, childOptions?: object) {
    return child.call(this, hide(fields, 0) as object, childOptions);
  } as unknown as typeof logger.child;
  return logger;
}

/** What is done to the lines of a logger and of its children, by logger. */
const masks = new WeakMap<Logger, (line: string) => string>();

/** From now on nothing that `known` finds is in a line of this logger. */
export function maskLog(
  logger: Logger,
  known: { mask(text: string): string; maskValue<V>(value: V): V },
): void {
  masks.set(logger, (line) => {
    if (known.mask(line) === line) return line;
    // Part by part, so that what is left is JSON.
    return `${JSON.stringify(known.maskValue(JSON.parse(line)))}\n`;
  });
}

function hideError(error: unknown): unknown {
  return error instanceof Error ? hide(stdSerializers.err(error), 0) : hide(error, 0);
}

function hide(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  // Errors go to their serializer; what has its own JSON form keeps it.
  if (value instanceof Error || 'toJSON' in value) return value;
  if (depth > MAX_DEPTH) return '[deep]';
  if (Array.isArray(value)) return value.map((each) => hide(each, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => {
      const field = name.replace(/([a-z0-9])([A-Z])/g, '$1_$2');
      return [name, SECRET_FIELD.test(field) && each !== undefined ? HIDDEN : hide(each, depth + 1)];
    }),
  );
}
