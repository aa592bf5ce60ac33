/**
 * Spans of what the host did, for whoever collects them over OTLP. Off unless an address is configured, and then
 * nothing of the OpenTelemetry SDK is even loaded (OBS-05). That messages carry their trace does not depend on it:
 * see trace-context.ts.
 */
import type { Logger } from './log.ts';

/** One finished span. */
export interface FinishedSpan {
  /** Of few values: what varies from call to call is an attribute. */
  readonly name: string;
  readonly kind: 'server' | 'consumer';
  /** Of the span itself. */
  readonly traceparent: string;
  /** Undefined for the first span of a trace. */
  readonly parentSpanId: string | undefined;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  /** What went wrong, in a word or a code. */
  readonly error?: string;
  readonly events?: readonly {
    readonly name: string;
    readonly atMs: number;
    readonly attributes: Readonly<Record<string, number>>;
  }[];
}

export interface Tracing {
  /** False: building spans is wasted work. */
  readonly exporting: boolean;
  /** Takes a span to be sent soon. Never waits and never throws; what the collector cannot take is dropped. */
  record(span: FinishedSpan): void;
  /** Sends what is left, for a bounded time. */
  close(): Promise<void>;
}

const OFF: Tracing = { exporting: false, record() {}, async close() {} };

/** @param otlpUrl of the collector; undefined: off. */
export async function openTracing(
  otlpUrl: string | undefined,
  version: string,
  log: Logger,
): Promise<Tracing> {
  if (otlpUrl === undefined) return OFF;
  const { openSpanExport } = await import('./base/span-export.ts');
  return openSpanExport(otlpUrl, version, log);
}
