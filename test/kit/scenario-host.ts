/** A host with the scenario engine, a driver that sends it commands, and tools that scenarios call. */
import { expect, vi } from 'vitest';
import { type Answer, bootHost, type HostOptions, SCRIPT_GATES, type TestHost } from './boot-host.ts';

/** What a command answered. */
export type Told = Answer['body'];

export const SCENARIO_ENGINE = new URL('../../plugins/scripts/scenario_engine', import.meta.url).pathname;

const COMMANDS = [
  'run',
  'status',
  'runs',
  'trace',
  'cancel',
  'pause',
  'resume',
  'signal',
  'answer',
  'questions',
  'replay',
  'fork',
  'save',
  'remove',
  'enable',
  'disable',
  'get',
  'list',
  'test',
].map((verb) => `scenario.${verb}@1`);

/** Sends a command and answers its result. */
const DRIVER = `
import { publish, request } from 'neira:host/bus';
export async function handle(event) {
  const { command, payload, publishes } = event.payload.params;
  if (publishes) { publish(publishes, payload); return {}; }
  return { actions: [{ result: await request(command, payload) ?? null }] };
}`;

/** Does what its payload says, and counts each thing once by its idempotency key: a tool that can tell what came before. */
const TOOL = `
import { add, append, get, list, set } from 'neira:host/storage';
export async function handle(event) {
  const { payload, headers, event_name } = event;
  if (payload.order) return { result: { effects: list('order/', { limit: 1000 }).map(({ value }) => ({ key: value })) } };
  if (payload.read) return { result: { effects: list('effect/', { limit: 1000 }).map(({ key, value }) => ({ key: key.slice(7), ...value })) } };
  const key = headers.idempotency_key;
  add('calls/' + event_name, 1);
  if (payload.notBeforeMs && Date.now() < payload.notBeforeMs) throw new Error('not yet');
  if (payload.sleepMs) await new Promise((resolve) => setTimeout(resolve, payload.sleepMs));
  if (payload.fails) throw new Error('the tool fails');
  const seen = get('effect/' + key)?.value;
  append('order', key);
  set('effect/' + key, { name: event_name, n: payload.n ?? null, times: (seen?.times ?? 0) + 1 });
  return { result: { n: payload.n ?? null, doubled: (payload.n ?? 0) * 2, ...payload.returns } };
}`;

export interface ScenarioHost extends AsyncDisposable {
  readonly host: TestHost;
  /** Sends \`scenario.<verb>\` and answers what it answers. */
  ask(verb: string, payload?: object): Promise<Told>;
  /** Saves, grants what it asks for, and waits until it serves. */
  save(text: string, files?: Record<string, string>): Promise<string>;
  run(id: string, more?: object): Promise<string>;
  /** Until it has ended, or is in one of these states. */
  ended(run: string, states?: readonly string[]): Promise<Told>;
  publish(event: string, payload: object): Promise<void>;
  /** Keys of what was done, in order. */
  order(): Promise<readonly string[]>;
  effects(): Promise<readonly { key: string; name: string; n: number | null; times: number }[]>;
}

/** @param folder the engine's, or a copy of it */
export async function installScenarios(
  host: TestHost,
  settings?: object,
  folder = SCENARIO_ENGINE,
): Promise<void> {
  await host.events('tool.do@1!', 'tool.undo@1!', 'tool.read@1!', 'chat.said@1');
  const added = [
    await host.call('POST', '/api/neira/plugins', { path: folder }, { query: '?enable=1&grant=all' }),
    await host.script(
      {
        id: 'driver',
        permissions: {},
        publishes: [...COMMANDS, 'chat.said@1', 'tool.read@1'],
        limits: { wait_ms: 30_000, turn_ms: 10_000 },
        ui: { buttons: [{ id: 'driver', title: 'Driver', event: 'driver.go' }] },
      },
      DRIVER,
    ),
    await host.script(
      {
        id: 'tool',
        permissions: { storage: ['read', 'write'] },
        subscribes: ['tool.do@1', 'tool.undo@1', 'tool.read@1'].map((event) => ({ event })),
        limits: { wait_ms: 60_000, turn_ms: 10_000, concurrency: 16 },
        retry: { max: 0 },
      },
      TOOL,
    ),
  ];
  for (const { status, body } of added) expect(status, JSON.stringify(body)).toBe(201);
  await host.open('scenario_engine');
  if (settings) {
    const set = await host.call('PUT', '/api/neira/plugins/scenario.engine/settings', { settings });
    expect(set.status, JSON.stringify(set.body)).toBe(200);
  }
}

/** @param host that {@link installScenarios} was done on */
export function scenariosOf(host: TestHost): ScenarioHost {
  const command = async (name: string, payload: object) => {
    const { body } = await host.event('driver', { command: name, payload });
    expect(body.actions, JSON.stringify(body)).toBeDefined();
    return body.actions[0].result;
  };
  const ask = (verb: string, payload: object = {}): Promise<Told> => command(`scenario.${verb}`, payload);
  const scenarios: ScenarioHost = {
    host,
    ask,
    async save(text, files = {}) {
      const saved = await ask('save', {
        files: { 'scenario.yaml': text, ...files },
        entry: 'scenario.yaml',
      });
      expect(saved['ok'], JSON.stringify(saved)).toBe(true);
      const id = String(saved['id']);
      if (saved['state'] === 'active') return id;
      const where = `/api/neira/plugins/scenario.engine/principals/${id}`;
      const { status, body } = await host.call('PUT', `${where}/grants`, {}, { query: '?grant=all' });
      expect(status, JSON.stringify(body)).toBe(200);
      const serves = async () => expect((await ask('get', { id })).state).toBe('active');
      await vi.waitFor(serves, { timeout: 10_000 });
      return id;
    },
    async run(id, more = {}) {
      const begun = await ask('run', { id, ...more });
      expect(begun.ok, JSON.stringify(begun)).toBe(true);
      return begun.run_id;
    },
    async ended(run, states = ['succeeded', 'failed', 'cancelled']) {
      let status: Told;
      await expect
        .poll(
          async () => {
            status = await ask('status', { run_id: run });
            return states.includes(status['state']);
          },
          { timeout: 30_000 },
        )
        .toBe(true);
      return status;
    },
    async publish(event, payload) {
      const { status, body } = await host.event('driver', { publishes: event, payload });
      expect(status, JSON.stringify(body)).toBe(200);
    },
    order: async () =>
      (await command('tool.read', { order: true })).effects.map(({ key }: { key: string }) => key),
    effects: async () => (await command('tool.read', { read: true })).effects,
    [Symbol.asyncDispose]: () => host.close(),
  };
  return scenarios;
}

export async function bootScenarios(
  options: HostOptions & { readonly engine?: object } = {},
): Promise<ScenarioHost> {
  const host = await bootHost({ gates: SCRIPT_GATES, ...options });
  await installScenarios(host, options.engine);
  return scenariosOf(host);
}
