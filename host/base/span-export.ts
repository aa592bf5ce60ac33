/** The OpenTelemetry SDK, behind {@link Tracing}. Loaded by tracing.ts, and only when spans are to be exported. */
import {
  type Context,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, type SpanExporter, TracerProvider } from '@opentelemetry/sdk-trace';
import type { Logger } from '../log.ts';
import type { Tracing } from '../tracing.ts';
import { parseTraceparent } from './trace-context.ts';

const SEND_PERIOD_MS = 1000;
const SEND_TIMEOUT_MS = 5000;
/** Spans that wait to be sent; beyond this they are dropped. */
const MAX_WAITING = 4096;
const CLOSE_TIMEOUT_MS = 3000;
/** A collector that is away is said once in a while, not for each batch. */
const SAY_AGAIN_MS = 60_000;
const MAX_ATTRIBUTE_CHARS = 256;
const KINDS = { server: SpanKind.SERVER, consumer: SpanKind.CONSUMER } as const;

export function openSpanExport(otlpUrl: string, version: string, log: Logger): Tracing {
  // The SDK makes ids itself; ours are decided before a span is recorded, so they are laid ready for it.
  let next = { traceId: '', spanId: '' };
  const exporter = new OTLPTraceExporter({ url: addressOf(otlpUrl), timeoutMillis: SEND_TIMEOUT_MS });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'neira', 'service.version': version }),
    idGenerator: { generateTraceId: () => next.traceId, generateSpanId: () => next.spanId },
    spanLimits: { attributeValueLengthLimit: MAX_ATTRIBUTE_CHARS },
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: saying(exporter, log),
        scheduledDelayMillis: SEND_PERIOD_MS,
        exportTimeoutMillis: SEND_TIMEOUT_MS,
        maxQueueSize: MAX_WAITING,
      }),
    ],
  });
  const tracer = provider.getTracer('neira', version);

  return {
    exporting: true,
    record(span) {
      const own = parseTraceparent(span.traceparent);
      // Who began the trace may not want it recorded.
      if (!own?.sampled) return;
      next = own;
      const started = tracer.startSpan(
        span.name,
        { kind: KINDS[span.kind], startTime: span.startedAtMs, attributes: { ...span.attributes } },
        parentOf(own.traceId, span.parentSpanId),
      );
      for (const { name, atMs, attributes } of span.events ?? [])
        started.addEvent(name, { ...attributes }, atMs);
      if (span.error !== undefined) started.setStatus({ code: SpanStatusCode.ERROR, message: span.error });
      started.end(Math.max(span.startedAtMs, span.endedAtMs));
    },
    async close() {
      const cut = new Promise<void>((resolve) => setTimeout(resolve, CLOSE_TIMEOUT_MS).unref());
      await Promise.race([provider.shutdown().catch(() => {}), cut]);
    },
  };
}

function parentOf(traceId: string, spanId: string | undefined): Context {
  if (spanId === undefined) return ROOT_CONTEXT;
  const parent: SpanContext = { traceId, spanId, traceFlags: 1, isRemote: true };
  return trace.setSpanContext(ROOT_CONTEXT, parent);
}

/** The address of a collector's base, or of the very path that takes traces. */
function addressOf(otlpUrl: string): string {
  const url = new URL(otlpUrl);
  if (url.pathname === '/') url.pathname = '/v1/traces';
  return url.href;
}

function saying(exporter: SpanExporter, log: Logger): SpanExporter {
  let saidAtMs = -SAY_AGAIN_MS;
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        if (result.code !== 0 && performance.now() - saidAtMs >= SAY_AGAIN_MS) {
          saidAtMs = performance.now();
          log.warn({ spans: spans.length, reason: result.error?.message }, 'spans could not be exported');
        }
        done(result);
      });
    },
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
    shutdown: () => exporter.shutdown(),
  };
}
