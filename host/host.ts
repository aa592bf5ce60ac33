/**
 * The composition root: the only file that knows all parts.
 *
 * Opening goes from the bottom up – store, cells, turns, gates, registry, HTTP – and closing from the top
 * down: no new calls, turns drained, cells ended, store closed.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Clock } from './app/clock.ts';
import { ContributedCalls } from './app/contributed-calls.ts';
import { EventGateway } from './app/event-gateway.ts';
import { EventRecords } from './app/event-records.ts';
import { createHostApi } from './app/host-api.ts';
import { Inbox } from './app/inbox.ts';
import { HostMode } from './app/mode.ts';
import { Observers } from './app/observers.ts';
import { Search } from './app/search.ts';
import { seldom } from './app/seldom.ts';
import { adminToken, Tokens } from './app/tokens.ts';
import { UiEvents } from './app/ui-events.ts';
import { deliveryProblem, EventRegistry } from './bus/event-registry.ts';
import { localTransport } from './bus/transport/local.ts';
import type { Transport } from './bus/transport/transport.ts';
import type { Config, TransportName } from './config.ts';
import { REVEAL } from './context/secret-reveal.ts';
import { NeiraError } from './errors.ts';
import { createServer } from './http/server.ts';
import { type Logger, maskLog } from './log.ts';
import { Metrics } from './metrics.ts';
import { consolePort } from './ports/console.ts';
import { HttpClient } from './ports/http/client.ts';
import { Ports } from './ports/ports.ts';
import { loadGates } from './registry/gate-catalogue.ts';
import { GateService, requireAck } from './registry/gate-service.ts';
import { PluginAdmin } from './registry/plugin-admin.ts';
import { PrincipalAdmin } from './registry/principal-admin.ts';
import { Registry } from './registry/registry.ts';
import { CellPool } from './sandbox/pool.ts';
import { createKvReader } from './store/reader.ts';
import { openStore, type Store } from './store/store.ts';
import { openTracing } from './tracing.ts';
import { Turns } from './turn.ts';
import type { CellRoot } from './turn-context.ts';
import { HttpRequests } from './turns/http-requests.ts';
import { Mailboxes } from './turns/mailboxes.ts';
import { Outbox } from './turns/outbox.ts';
import { Requests } from './turns/requests.ts';
import { MasterKeys } from './turns/secret-keys.ts';
import { Secrets } from './turns/secrets.ts';
import { sleep } from './turns/timers.ts';
import type { WaitCall } from './turns/turn-waits.ts';

export interface Host {
  /** Address to call. */
  readonly url: string;
  readonly home: string;
  /** Resolves when the host can keep no promise any more and the process has to start anew. */
  readonly failed: Promise<NeiraError>;
  /** Drains turns, closes everything. Safe to call twice. */
  close(): Promise<void>;
}

const CHECKOUT = path.resolve(import.meta.dirname, '..');
const SECRET_BYTES = 32;

const TRANSPORTS: Readonly<Record<TransportName, () => Transport>> = { local: localTransport };

/**
 * Boots a host.
 * @param transport how events go to other hubs; by default what the settings name
 * @throws NEIRA_HOME_LOCKED, NEIRA_HOME_NEWER, NEIRA_CONFIG_INVALID, and what the port says
 */
export async function openHost(
  config: Config,
  log: Logger,
  transport: Transport = TRANSPORTS[config.events.transport](),
): Promise<Host> {
  const startedMs = performance.now();
  CellPool.prepare();
  const store = await openStore({
    home: config.home,
    durability: config.durability,
    writer: new URL('./writer-main.ts', import.meta.url),
  });
  store.carry(transport.carries);
  const fatal = Promise.withResolvers<NeiraError>();
  store.onProblem(({ what, reason, fatal: isFatal }) => {
    log.error({ reason }, what);
    if (isFatal) fatal.resolve(new NeiraError('NEIRA_STORE_FAILED', { reason }));
  });
  const metrics = new Metrics();
  const tracing = await openTracing(config.tracing.otlpUrl, version(), log);
  const observers = new Observers(metrics, tracing);
  store.onCommit((records, micros) => observers.committed(records, micros));
  const secrets = await Secrets.open({
    keys: new MasterKeys(store.home, config.secretKeys),
    rows: () => store.secrets(),
    submit: (record) => store.submit(record),
    learn: (known) => store.learn(known),
    warn: (details, message) => log.warn(details, message),
  });
  maskLog(log, secrets);
  const mode = new HostMode(store);
  if (config.safeMode) await mode.set('boot', 'safe', 'booted with --safe');
  const tokens = new Tokens(store, adminToken(store.home, config.adminToken));
  const root: CellRoot = { databasePath: store.databasePath, secret: await homeSecret(store) };

  // The pool reports to the turns, and the turns feed the pool.
  let turns: Turns;
  const pool = await CellPool.open(
    {
      size: config.cells,
      entry: new URL('./cell-main.ts', import.meta.url),
      connect: () => store.connectCell(),
      root,
    },
    {
      onDry: (attempt, record) => turns.onDry(attempt, record),
      onCut: (attempts) => turns.onCut(attempts),
      onLost: (lost) => turns.onLost(lost),
      onWait: (...wait) => turns.onWait(...wait),
      onSuspended: (attempt, answered) => turns.onSuspended(attempt, answered),
    },
  );
  const ports = new Ports(
    new Map([['console', consolePort(log)]]),
    async (ids) => requireAck(await store.submit({ kind: 'sent', ids })),
    log,
  );
  const requests = new Requests({
    submit: (record) => store.submit(record),
    serving: (plugin) => registry.servingOf(plugin),
    turns: () => turns,
  });
  const httpClient = new HttpClient();
  const httpRequests = new HttpRequests({
    submit: (record) => store.submit(record),
    exchange: (exchange) => httpClient.exchange(exchange),
    secrets,
    secret: root.secret,
    observe: (plugin, outcome) => metrics.requestMade(plugin, outcome),
  });
  const performers = {
    'bus.request': (call: WaitCall) => requests.perform(call),
    'io.request': (call: WaitCall) => httpRequests.perform(call),
    'timer.sleep': sleep,
    [REVEAL]: (call: WaitCall) => secrets.reveal(call),
  };
  turns = new Turns({
    cells: pool.size,
    send: (cell, deliveries) => pool.send(cell, deliveries),
    settled: (cell, attempt) => pool.settled(cell, attempt),
    submit: (record) => store.submit(record),
    fence: (cell) => store.retireCell(cell),
    waits: {
      request: (call) => performers[call.op as keyof typeof performers](call),
      answer: (...answer) => pool.answer(...answer),
      abort: (...abort) => pool.abort(...abort),
    },
    perform: (sends) => ports.perform(sends),
    observe: observers,
    quarantine: (plugin, reason) =>
      void plugins.quarantine(plugin, reason).catch((err) => log.error({ err }, 'quarantine')),
  });
  store.onTurnAck((acks) => {
    for (const ack of acks) turns.acknowledge(ack);
  });

  const gates = new GateService(loadGates(), store);
  const reader = createKvReader(store.databasePath);
  const events = EventRegistry.load();
  const registry = new Registry({
    home: store.home,
    store,
    reader,
    pool,
    turns,
    gates,
    events,
    transcripts: config.transcripts,
    mask: (value) => secrets.maskValue(value),
    reveal: (policy, name) => secrets.shownTo(policy, name),
    changed: (plugin) => {
      mailboxes.wake(plugin);
      for (const event of registry.find(plugin)?.manifest.publishes ?? []) gateway.noteUse(event, plugin);
      store.listen(registry.running());
    },
    log,
  });
  const mailboxes = new Mailboxes({
    store,
    turns,
    serving: (plugin) => registry.servingOf(plugin),
    mayRun: (serving, entry) => registry.mayRun(serving, { ...entry, mode: mode.current }),
    mode: () => mode.current,
    problem: (entry) => deliveryProblem(events, entry),
    committed: (plugin) => registry.noteCommit(plugin),
    tick: async () => void requireAck(await store.submit({ kind: 'tick' })),
    log,
  });
  const gateway = new EventGateway({
    events,
    submit: (record) => store.submit(record),
    refused: (reason) => metrics.publishRefused(reason),
    warn: (details, message) => log.warn(details, message),
  });
  const inbox = new Inbox({ events, submit: (record) => store.submit(record), log });
  const outbox = new Outbox({
    transport,
    outbox: (limit) => store.outbox(limit),
    left: async (upToSeq) => void requireAck(await store.submit({ kind: 'outbox', upToSeq })),
    log,
  });
  const eventRecords = new EventRecords(store);
  metrics.watchMailboxes(seldom(() => store.mailboxLags()));
  const clock = new Clock(gateway, log);
  const plugins = new PluginAdmin(registry, {
    home: store.home,
    versionsKept: config.versionsKept,
    signatures: config.signatures,
    components: {
      folder: path.join(store.home, 'components'),
      report: (trouble) => log.warn(trouble),
    },
    mode: () => mode.current,
  });
  mode.onChange(() => plugins.releaseSaves());
  mode.onChange(() => mailboxes.wakeAll());
  gates.onChange(() => plugins.releaseSaves());
  const ui = new UiEvents({
    registry,
    gates,
    turns,
    mode: () => mode.current,
    submit: (record) => store.submit(record),
  });
  const search = new Search({
    events,
    store,
    route: async (event) =>
      requireAck(await store.submit({ kind: 'route', events: [event] })).targets?.[0]?.[0],
    mayRun(plugin) {
      const serving = registry.servingOf(plugin);
      return serving !== undefined && registry.mayRun(serving, { caller: 'host', mode: mode.current });
    },
    ask: (event, timeoutMs) => requests.ask(event, timeoutMs),
    mask: (value) => secrets.maskValue(value),
    log,
  });
  const contributed = new ContributedCalls({
    events,
    plugins: () => registry.list(),
    whyInactive: (plugin) => registry.whyInactive(plugin),
    ask: (event, timeoutMs, identity) => requests.ask(event, timeoutMs, identity),
  });
  let stopping = false;
  const api = createHostApi({
    contributed,
    version: version(),
    store,
    registry,
    gates,
    plugins,
    principals: new PrincipalAdmin(registry, () => mode.current),
    tokens,
    secrets,
    ui,
    gateway,
    eventRecords,
    search,
    mode,
    metrics,
    homeSecret: root.secret,
    waiting: () => store.waitingCount(),
    catalogFolder: path.join(CHECKOUT, 'plugins'),
    stopping: () => stopping,
  });
  const server = await createServer({
    api,
    log,
    observer: observers,
    mask: (details) => secrets.maskValue(details),
    settings: { ...config.http, host: config.host, port: config.port, origins: config.origins },
  });

  await registry.start();
  store.onNews((news) => {
    observers.news(news);
    requests.answered(news.answers ?? []);
    mailboxes.arrived(news);
    ports.perform(news.sends ?? []);
    eventRecords.news(news);
    if (news.lastSeq !== undefined && transport.carries.length > 0) outbox.wake();
  });
  mailboxes.start();
  clock.start();
  ports.perform(store.pendingSends(Number.MAX_SAFE_INTEGER), true);
  await transport.open({ receive: (batch) => inbox.receive(batch) });
  outbox.wake();
  const url = await server.listen();
  await gateway
    .announce('system.boot.completed', {
      version: version(),
      mode: mode.current,
      plugins: registry.list().length,
      boot_ms: Math.round(performance.now() - startedMs),
    })
    .catch((err: unknown) => log.error({ err }, 'system.boot.completed'));
  // Saves made while the host was down are taken over in the background: what is stored serves already.
  void plugins.start().catch((err: unknown) => log.error({ err }, 'watching plugin folders'));

  let closing: Promise<void> | undefined;
  const close = async () => {
    stopping = true;
    await server.close();
    clock.stop();
    outbox.stop();
    await transport.close();
    await plugins.close();
    registry.close();
    mailboxes.stop();
    requests.close();
    await turns.drain();
    await httpRequests.close();
    await httpClient.close();
    ports.close();
    await pool.close();
    reader[Symbol.dispose]();
    await store.close();
    await tracing.close();
  };
  return {
    url,
    home: store.home,
    failed: fatal.promise,
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

/** Seeds the randomness of turns; made once for a home. */
async function homeSecret(store: Store): Promise<Uint8Array> {
  const stored = store.settings('secret');
  if (stored !== undefined) return Buffer.from(stored, 'base64');
  const secret = randomBytes(SECRET_BYTES);
  const op = { op: 'setting.put', name: 'secret', value: secret.toString('base64') } as const;
  requireAck(
    await store.submit({
      kind: 'admin',
      ops: [op],
      journal: [{ actor: 'boot', action: 'home.created', target: 'home' }],
    }),
  );
  return secret;
}

function version(): string {
  return (JSON.parse(readFileSync(path.join(CHECKOUT, 'package.json'), 'utf8')) as { version: string })
    .version;
}
