/**
 * W3C Trace Context: which trace a message belongs to, carried in its `traceparent` header whether spans are
 * exported or not (OBS-05). Pure but for {@link newTrace}; cells use this file too.
 */
import { hash, randomFillSync } from 'node:crypto';

export interface TraceContext {
  /** 32 lower-case hex digits. */
  readonly traceId: string;
  /** 16 lower-case hex digits: the span that a message comes from. */
  readonly spanId: string;
  /** Whether who began the trace wants its spans recorded. */
  readonly sampled: boolean;
}

const TRACE_ID_BYTES = 16;
const SPAN_ID_BYTES = 8;
const VERSION_00_CHARS = 55;
const FORMAT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[!-~]*)?$/;
const MAX_CHARS = 512;
const NO_TRACE = '0'.repeat(2 * TRACE_ID_BYTES);
const NO_SPAN = '0'.repeat(2 * SPAN_ID_BYTES);

/** Random bytes drawn ahead: asking the system for every request would cost more than the request's id is worth. */
const pool = Buffer.alloc(4096);
let drawn = pool.length;

function randomHex(bytes: number): string {
  if (drawn + bytes > pool.length) {
    randomFillSync(pool);
    drawn = 0;
  }
  drawn += bytes;
  return pool.toString('hex', drawn - bytes, drawn);
}

/** The `traceparent` of the first span of a new trace. */
export function newTrace(sampled = true): string {
  return formatTraceparent({
    traceId: randomHex(TRACE_ID_BYTES),
    spanId: randomHex(SPAN_ID_BYTES),
    sampled,
  });
}

/** Undefined for what is not a valid `traceparent`; of a later version its first four fields are read. */
export function parseTraceparent(text: string): TraceContext | undefined {
  const found = text.length > MAX_CHARS ? null : FORMAT.exec(text);
  if (!found) return undefined;
  const [, version, traceId, spanId, flags] = found as unknown as readonly string[];
  if (version === 'ff' || (version === '00' && text.length !== VERSION_00_CHARS)) return undefined;
  if (traceId === NO_TRACE || spanId === NO_SPAN) return undefined;
  return { traceId: traceId!, spanId: spanId!, sampled: (Number.parseInt(flags!, 16) & 1) === 1 };
}

export function formatTraceparent({ traceId, spanId, sampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`;
}

/**
 * The `traceparent` of a span whose parent is the span of `traceparent`, which must be valid.
 *
 * With a seed, the id of the span follows from trace, parent and seed: a turn seeds it with its turn id, so that
 * a replay publishes the same bytes, and the cell that publishes and the main thread that exports agree on it
 * without a word. Without a seed the id is random.
 */
export function childOf(traceparent: string, seed?: string): string {
  const spanId =
    seed === undefined
      ? randomHex(SPAN_ID_BYTES)
      : hash('sha256', `${traceparent}\n${seed}`, 'hex').slice(0, 2 * SPAN_ID_BYTES);
  return `${traceparent.slice(0, 36)}${spanId === NO_SPAN ? '0000000000000001' : spanId}${traceparent.slice(52)}`;
}

/** The trace id of a valid `traceparent`. */
export function traceIdOf(traceparent: string): string {
  return traceparent.slice(3, 35);
}
