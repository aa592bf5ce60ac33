/** Turns what happened to a run into an error of the catalogue, with a stack in the author's source. */
import { lazyPackage } from '../base/lazy-package.ts';
import { describe, type ErrorCode, type ErrorShape, isNeiraError, toShape } from '../errors.ts';
import type { RunLimits } from './messages.ts';
import type { Failure } from './run-result.ts';

export interface GuestFailure extends ErrorShape {
  readonly message: string;
  /** Stack in the author's source, where there is one. */
  readonly stack?: string;
}

/** Whose code ran, and by what limits. */
export interface Author {
  readonly plugin: string;
  readonly limits: RunLimits;
  readonly sourceMap: string;
}

/** Only a script that fails needs it. */
const traceMapping = lazyPackage<typeof import('@jridgewell/trace-mapping')>('@jridgewell/trace-mapping');

/** What the engine throws at its limits; a SyntaxError comes from its compiler of regular expressions. */
const ENGINE_ERRORS = new Set(['InternalError', 'SyntaxError']);
const MAX_FRAMES = 20;
/** No bundle has more lines, or longer ones. */
const MAX_LINE = 0x7fff_ffff;

export function failureOf(result: Failure, author: Author): GuestFailure {
  const { plugin, limits } = author;
  switch (result.kind) {
    case 'thrown':
      return thrown(result.report, author);
    case 'interrupted':
      return failure('NEIRA_CPU_EXCEEDED', { plugin, cpuMs: limits.cpuMs }, result.stack, author);
    case 'aborted':
      return result.why === 'cpu'
        ? failure('NEIRA_CPU_EXCEEDED', { plugin, cpuMs: limits.cpuMs })
        : failure('NEIRA_TURN_TIMEOUT', { plugin, turnMs: limits.turnMs });
    case 'pending':
      return failure('NEIRA_NEVER_SETTLED', { plugin });
    case 'output-too-large':
      return failure('NEIRA_OUTPUT_TOO_LARGE', { plugin, maxBytes: limits.outputBytes });
    case 'refused': {
      const shape = isNeiraError(result.error) ? result.error : toShape(result.error);
      return failure(shape.code, { plugin, ...shape.details });
    }
    case 'fault':
      if (/out of memory/.test(result.message))
        return failure('NEIRA_MEMORY_EXCEEDED', { plugin, memoryMb: limits.memoryMb });
      if (/stack/.test(result.message)) return failure('NEIRA_STACK_EXCEEDED', { plugin });
      return failure('NEIRA_PLUGIN_FAILED', { plugin, name: 'EngineFault', reason: result.message });
  }
}

function thrown(report: Extract<Failure, { kind: 'thrown' }>['report'], author: Author): GuestFailure {
  const { plugin, limits } = author;
  const { name, message, stack, refusal } = report;
  // A refusal that the plugin let through keeps its own code. The guest cannot forge one: the prelude knows
  // by identity which errors came from the host, and answers what the host had said, not what is on the object.
  if (refusal !== '') {
    const { code, details } = JSON.parse(refusal) as ErrorShape;
    return failure(code, { plugin, ...details }, stack, author);
  }
  const engine = ENGINE_ERRORS.has(name);
  if (engine && message === 'out of memory') {
    return failure('NEIRA_MEMORY_EXCEEDED', { plugin, memoryMb: limits.memoryMb }, stack, author);
  }
  if (engine && message === 'stack overflow') {
    return failure('NEIRA_STACK_EXCEEDED', { plugin }, stack, author);
  }
  const refusedImport = /^could not load module '(.*)'/.exec(message);
  if (refusedImport)
    return failure('NEIRA_IMPORT_REFUSED', { plugin, module: refusedImport[1] }, stack, author);
  return failure('NEIRA_PLUGIN_FAILED', { plugin, name, reason: message }, stack, author);
}

function failure(
  code: ErrorCode,
  details: Record<string, unknown>,
  stack = '',
  author?: Author,
): GuestFailure {
  const mapped = author && stack ? mapStack(stack, `plugin:${author.plugin}`, author.sourceMap) : undefined;
  const place = mapped?.place;
  return {
    code,
    message: describe(code, details),
    details: { ...details, ...(place && { file: place.file, line: place.line, column: place.column }) },
    ...(mapped?.stack && { stack: mapped.stack }),
  };
}

interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Frames of the plugin in the author's files; the host's own frames are left out. */
export function mapStack(
  stack: string,
  module: string,
  sourceMap: string,
): { readonly stack: string; readonly place?: Place } {
  const map = sourceMap ? new (traceMapping().TraceMap)(sourceMap) : undefined;
  const frames: string[] = [];
  let place: Place | undefined;
  for (const line of stack.split('\n')) {
    const at = line.lastIndexOf(`${module}:`);
    if (at < 0) continue;
    const position = /^(\d+)(?::(\d+))?/.exec(line.slice(at + module.length + 1));
    if (!position || frames.length === MAX_FRAMES) continue;
    // `stack` is a property like any other, and may hold what no engine writes.
    const generated = { line: Number(position[1]), column: Math.max(Number(position[2] ?? 1) - 1, 0) };
    if (generated.line < 1 || generated.line > MAX_LINE || generated.column > MAX_LINE) continue;
    const original = map && traceMapping().originalPositionFor(map, generated);
    const found: Place = original?.source
      ? { file: original.source, line: original.line, column: original.column + 1 }
      : { file: module, line: generated.line, column: generated.column + 1 };
    place ??= found;
    const name = /^\s*at (.+?) \(/.exec(line)?.[1] ?? '<anonymous>';
    frames.push(`    at ${name} (${found.file}:${found.line}:${found.column})`);
  }
  return { stack: frames.join('\n'), ...(place && { place }) };
}
