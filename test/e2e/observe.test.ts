/** Metrics and traces of a whole host: OBS-05, OBS-06, BUS-18. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { bootHost, eventFiles, SCRIPT_GATES, spawnHost, type TestHost } from '../kit/boot-host.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const CLIENT_SPAN = '00f067aa0ba902b7';

const MANIFEST = {
  id: 'test.notes',
  permissions: { storage: ['write'], bus: { publish: ['note.saved'] } },
  publishes: ['note.saved@1'],
  ui: { buttons: [{ id: 'note', title: 'Note', icon: 'note', event: 'ui.note.write' }] },
};
const SOURCE = `
  import { publish } from 'neira:host/bus';
  import { set } from 'neira:host/storage';
  export function handle(event) {
    if (event.payload.params.fail) throw new Error('as asked');
    set('last', event.payload.params);
    publish('note.saved', { saved: true });
    return { actions: [{ type: 'seen', traceparent: event.headers.traceparent }] };
  }
`;

interface Span {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly status: { readonly code?: number; readonly message?: string };
  readonly attributes: readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[];
  readonly events: readonly { readonly name: string }[];
}

/** What takes OTLP as a collector does, in JSON. */
async function startCollector() {
  const spans: Span[] = [];
  const paths = new Set<string>();
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => {
      body += chunk;
    });
    request.on('end', () => {
      paths.add(request.url!);
      const sent = JSON.parse(body) as { resourceSpans: { scopeSpans: { spans: Span[] }[] }[] };
      spans.push(...sent.resourceSpans.flatMap((each) => each.scopeSpans.flatMap((scope) => scope.spans)));
      response.setHeader('content-type', 'application/json').end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    paths,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function attributesOf(span: Span): Record<string, unknown> {
  return Object.fromEntries(span.attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}

async function bootNotes(env: Record<string, string> = {}): Promise<TestHost> {
  const host = await bootHost({ env, gates: SCRIPT_GATES });
  const answer = await host.script(MANIFEST, { 'main.ts': SOURCE, ...eventFiles('note.saved@1') });
  if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
  return host;
}

async function publishedHeaders(host: TestHost): Promise<Record<string, string>[]> {
  const { events } = (await host.call('GET', '/api/neira/events?subject=note.saved')).body as {
    events: { headers: Record<string, string> }[];
  };
  return events.map(({ headers }) => headers);
}

/** Every sample of a Prometheus text by `name{labels}`; what is not in the format is refused. */
function parseMetrics(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  const types = new Map<string, string>();
  const helped = new Set<string>();
  expect(text.endsWith('\n')).toBe(true);
  for (const line of text.split('\n').filter((each) => each !== '')) {
    const comment = /^# (HELP|TYPE) ([a-zA-Z_:][\w:]*) (.+)$/.exec(line);
    if (comment?.[1] === 'HELP') helped.add(comment[2]!);
    else if (comment) types.set(comment[2]!, comment[3]!);
    else {
      const sample =
        /^([a-zA-Z_:][\w:]*)(\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*\})? ([-+]?(?:\d[\d.e+-]*|Inf)|NaN)$/.exec(
          line,
        );
      expect(sample, line).not.toBeNull();
      const family = sample![1]!.replace(/_(?:bucket|sum|count)$/, '');
      expect(types.has(family) || types.has(sample![1]!), line).toBe(true);
      const key = sample![1]! + (sample![2] ?? '');
      expect(samples.has(key), `${key} comes once`).toBe(false);
      samples.set(key, Number(sample![3]!.replace('Inf', 'Infinity')));
    }
  }
  expect([...types.keys()].filter((name) => !helped.has(name))).toEqual([]);
  return samples;
}

async function scrape(host: TestHost): Promise<Map<string, number>> {
  const { status, headers, body } = await host.call('GET', '/metrics');
  expect(status).toBe(200);
  expect(headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  return parseMetrics(body as string);
}

// OBS-05: from HTTP through every turn that it causes.
test('one trace leads from a published event through its subscriber, what that publishes, and the turn behind it', async () => {
  await using collector = await startCollector();
  const host = await bootHost({ env: { NEIRA_OTLP_URL: collector.url }, gates: SCRIPT_GATES });
  try {
    await host.events('chain.first.done@1', 'chain.second.done@1');
    const first = await host.script(
      { id: 'first', subscribes: [{ event: 'chain.first.done@1' }], publishes: ['chain.second.done@1'] },
      `import { publish } from 'neira:host/bus';
       export function handle() { publish('chain.second.done', 1); }`,
    );
    const second = await host.script(
      { id: 'second', subscribes: [{ event: 'chain.second.done@1' }] },
      `export function handle() { console.log('seen'); }`,
    );
    expect([first.status, second.status]).toEqual([201, 201]);
    const headers = { traceparent: `00-${TRACE}-${CLIENT_SPAN}-01` };
    const body = { event_name: 'chain.first.done', payload: 1 };
    expect((await host.call('POST', '/api/neira/events', body, { headers })).status).toBe(200);
    await expect
      .poll(async () => (await host.call('GET', '/api/neira/plugins/second/logs')).body.lines)
      .toHaveLength(1);
  } finally {
    await host.close();
  }
  const ours = collector.spans.filter(({ traceId }) => traceId === TRACE);
  const named = (name: string) => ours.find((span) => span.name === name)!;
  expect(ours.map(({ name }) => name).sort()).toEqual([
    'POST /api/neira/events',
    'turn first',
    'turn second',
  ]);
  expect(named('turn first').parentSpanId).toBe(named('POST /api/neira/events').spanId);
  expect(named('turn second').parentSpanId).toBe(named('turn first').spanId);
});

test('one trace leads from the call of a client through the turn to what the turn published', async () => {
  await using collector = await startCollector();
  const host = await bootNotes({ NEIRA_OTLP_URL: collector.url });
  let seen: string;
  let published: Record<string, string>[];
  try {
    const headers = { traceparent: `00-${TRACE}-${CLIENT_SPAN}-01` };
    const { status, body } = await host.event('note', {}, {}, { headers });
    expect(status).toBe(200);
    seen = body.actions[0].traceparent;
    published = await publishedHeaders(host);
  } finally {
    await host.close();
  }
  expect([...collector.paths]).toEqual(['/v1/traces']);
  const ours = collector.spans.filter(({ traceId }) => traceId === TRACE);
  expect(ours.map(({ name }) => name).sort()).toEqual(['POST /api/neira/ui/events', 'turn test.notes']);
  const call = ours.find(({ name }) => name.startsWith('POST'))!;
  const turn = ours.find(({ name }) => name.startsWith('turn'))!;
  expect(call.parentSpanId).toBe(CLIENT_SPAN);
  expect(turn.parentSpanId).toBe(call.spanId);
  expect(seen).toBe(`00-${TRACE}-${call.spanId}-01`);
  expect(published).toEqual([{ traceparent: `00-${TRACE}-${turn.spanId}-01` }]);

  expect(attributesOf(call)).toMatchObject({ 'http.route': '/api/neira/ui/events' });
  expect(attributesOf(turn)).toMatchObject({
    'neira.plugin': 'test.notes',
    'neira.event': 'ui.note.write',
    'neira.outcome': 'ok',
    'neira.conflicts': 0,
  });
  expect(Number(attributesOf(turn)['neira.fuel'])).toBeGreaterThan(0);
  expect(turn.events.map(({ name }) => name)).toEqual(['commit']);
  expect(BigInt(turn.endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(turn.startTimeUnixNano));
});

test('a client that wants no spans gets none, and a failed turn says its code', async () => {
  await using collector = await startCollector();
  const host = await bootNotes({ NEIRA_OTLP_URL: `${collector.url}/custom/path` });
  let failed: string;
  try {
    await host.event('note', {}, {}, { headers: { traceparent: `00-${TRACE}-${CLIENT_SPAN}-00` } });
    const answer = await host.event('note', { fail: true });
    expect(answer.status).toBe(500);
    failed = answer.body.trace_id;
  } finally {
    await host.close();
  }
  expect([...collector.paths]).toEqual(['/custom/path']);
  expect(collector.spans.filter(({ traceId }) => traceId === TRACE)).toEqual([]);
  const spans = collector.spans.filter(({ traceId }) => traceId === failed);
  expect(spans).toHaveLength(2);
  for (const { status } of spans) expect(status.code).toBe(2);
  expect(attributesOf(spans.find(({ name }) => name.startsWith('turn'))!)).toMatchObject({
    'neira.outcome': 'failed',
    'neira.error': 'NEIRA_PLUGIN_FAILED',
  });
});

test('a collector that is away harms nothing', async () => {
  const host = await bootNotes({ NEIRA_OTLP_URL: 'http://127.0.0.1:9' });
  expect((await host.event('note')).status).toBe(200);
  await host.close();
});

test('without an address nothing of the SDK is loaded, and messages carry their trace all the same', async () => {
  // Named on stderr by the loader itself, in every thread.
  const hook = `import { registerHooks } from 'node:module';
    registerHooks({ load(url, context, next) {
      if (/opentelemetry.(?:sdk|exporter|otlp|resources)|span-export/.test(url)) process.stderr.write('LOADED ' + url + '\\n');
      return next(url, context);
    } });`;
  const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(hook)}`;
  for (const [address, loads] of [
    ['', false],
    ['http://127.0.0.1:9', true],
  ] as const) {
    await using host = await spawnHost({
      env: { NODE_OPTIONS, NEIRA_OTLP_URL: address },
      gates: SCRIPT_GATES,
    });
    await host.script(MANIFEST, { 'main.ts': SOURCE, ...eventFiles('note.saved@1') });
    const { body } = await host.event('note');
    const [headers] = await publishedHeaders(host);
    const [, trace, span] = body.actions[0].traceparent.split('-');
    expect(headers!['traceparent']).toMatch(new RegExp(`^00-${trace}-(?!${span})[0-9a-f]{16}-01$`));
    expect(host.log().includes('LOADED')).toBe(loads);
  }
});

test('/metrics is Prometheus text whose counters rise, and names nothing that users sent', async () => {
  await using host = await bootNotes();
  const turn = 'neira_turn_seconds_count{plugin="test.notes",outcome="ok"}';
  const secret = 'what-a-user-said';
  await host.event('note', { text: secret });
  const before = await scrape(host);
  expect(before.get(turn)).toBe(1);
  await host.event('note', { text: secret });
  await host.event('note', { fail: true });
  await host.call('POST', '/api/neira/ui/events', { tool_id: secret, event: `ui.${secret}`, params: {} });
  await host.call('GET', `/api/neira/plugins/${secret}`);
  await host.call('GET', `/${secret}`);
  const after = await scrape(host);
  expect(after.get(turn)).toBe(2);
  expect(after.get('neira_turn_seconds_count{plugin="test.notes",outcome="failed"}')).toBe(1);
  expect(after.get('neira_events_published_total{event="note.saved"}')).toBe(2);
  expect(after.get('neira_deliveries_total{plugin="test.notes",outcome="done"}')).toBe(2);
  expect(after.get('neira_deliveries_total{plugin="test.notes",outcome="failed"}')).toBe(1);
  expect(after.get('neira_http_requests_total{method="GET",route="none",status="404"}')).toBe(1);
  expect(after.get('neira_commit_seconds_count')!).toBeGreaterThan(before.get('neira_commit_seconds_count')!);
  expect(after.get('neira_commit_batch_records_sum')!).toBeGreaterThanOrEqual(
    after.get('neira_commit_seconds_count')!,
  );
  expect(after.get('neira_turn_fuel_total{plugin="test.notes"}')).toBeGreaterThan(0);
  const text = [...after.keys()].join('\n');
  expect(text).not.toContain(secret);
  expect(text).not.toContain(host.token);
});

test('the status counts plugins, gates, turns, deliveries and commits', async () => {
  await using host = await bootNotes();
  await host.event('note');
  await host.event('note');
  const { body } = await host.call('GET', '/api/neira/status');
  expect(body).toMatchObject({
    status: 'ok',
    mode: 'normal',
    plugins: { registered: 1, active: 1, enabled: 1, disabled: 0, quarantined: [] },
    open_gates: expect.arrayContaining([...SCRIPT_GATES]),
    // Two of the plugin; the host announced its boot, gates and the plugin.
    events: { published: expect.any(Number) },
    deliveries: { done: 2, dead: 0, waiting: 0 },
    turns: { count: 2 },
    cell_kills: 0,
  });
  expect(body.turns.p95_ms).toBeGreaterThanOrEqual(body.turns.p50_ms);
  expect(body.commits.count).toBeGreaterThan(0);
});
