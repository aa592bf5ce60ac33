import { expect, test } from 'vitest';
import { childOf, formatTraceparent, newTrace, parseTraceparent, traceIdOf } from './trace-context.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

// OBS-05
test('a traceparent of the specification is read, and written as it was', () => {
  const text = `00-${TRACE}-${SPAN}-01`;
  expect(parseTraceparent(text)).toEqual({ traceId: TRACE, spanId: SPAN, sampled: true });
  expect(formatTraceparent(parseTraceparent(text)!)).toBe(text);
  expect(traceIdOf(text)).toBe(TRACE);
  expect(parseTraceparent(`00-${TRACE}-${SPAN}-02`)?.sampled).toBe(false);
});

test('of a later version the known fields are read', () => {
  expect(parseTraceparent(`cc-${TRACE}-${SPAN}-01-what-comes-later`)?.traceId).toBe(TRACE);
});

test.each([
  ['nothing', ''],
  ['an unknown version that is forbidden', `ff-${TRACE}-${SPAN}-01`],
  ['more than version 00 has', `00-${TRACE}-${SPAN}-01-more`],
  ['a trace of zeros', `00-${'0'.repeat(32)}-${SPAN}-01`],
  ['a span of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
  ['upper case', `00-${TRACE.toUpperCase()}-${SPAN}-01`],
  ['a short trace', `00-${TRACE.slice(1)}-${SPAN}-01`],
  ['a line break at the end', `00-${TRACE}-${SPAN}-01\n`],
  ['something endless', `01-${TRACE}-${SPAN}-01-${'x'.repeat(10_000)}`],
])('%s is no traceparent', (_what, text) => {
  expect(parseTraceparent(text)).toBeUndefined();
});

test('new traces are valid and differ', () => {
  const traces = Array.from({ length: 1000 }, () => newTrace());
  expect(traces.every((trace) => parseTraceparent(trace) !== undefined)).toBe(true);
  expect(new Set(traces.map(traceIdOf)).size).toBe(1000);
});

test('a child stays in the trace; the same seed gives the same span, another seed or parent another', () => {
  const parent = newTrace(false);
  const child = childOf(parent, 'event:plugin');
  expect(parseTraceparent(child)).toMatchObject({ traceId: traceIdOf(parent), sampled: false });
  expect(childOf(parent, 'event:plugin')).toBe(child);
  expect(new Set([parent, child, childOf(parent, 'event:other'), childOf(child, 'event:plugin')]).size).toBe(
    4,
  );
  expect(childOf(parent)).not.toBe(childOf(parent));
});
