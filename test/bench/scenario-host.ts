/** A host with the scenario engine for the benches, and how many runs have ended in it. */
import { SCRIPT_GATES, type SpawnedHost, spawnHost } from '../kit/boot-host.ts';

const ENGINE = new URL('../../plugins/scripts/scenario_engine', import.meta.url).pathname;
/** Measured is what the plugins do, not how many calls a client may make. */
const SETTINGS = 'http: {rate_per_minute: 10000000}\n';

/** Keeps so many runs going from inside of the host, as a client of a library keeps its workflows. */
const driver = (inFlight: number) => `
import { publish } from 'neira:host/bus';
export function handle({ event_name }) {
  const count = event_name === 'driver.go' ? ${inFlight} : 1;
  for (let n = 0; n < count; n++) publish('scenario.run', { id: 'steps' });
}`;

const ACTOR = `
import { request } from 'neira:host/io';
export const handle = async ({ payload }) => void await request({ method: 'GET', url: payload.action + '?at=' + payload.at });`;

export const STEPS = 10;
const noOps = (count: number, from = 0) =>
  Array.from({ length: count }, (_, n) => `  - {name: s${from + n}, set: {n: ${from + n}}}`).join('\n');

export const SCENARIOS = {
  steps: `id: steps\nmode: parallel\nmax: 100000\nsteps:\n${noOps(STEPS)}\n`,
  half: `id: half\nmode: parallel\nmax: 100000\nsteps:\n${noOps(STEPS / 2)}\n  - {wait: {until: '\${ctx.at}'}}\n${noOps(STEPS / 2, STEPS / 2)}\n`,
  hears: `id: hears\nmode: parallel\nsteps:\n  - {name: heard, wait: {event: bench.made@1, correlate: {payload.key: '\${ctx.key}'}}, save: heard}\n  - {call: bench.act@1, with: '\${bag.heard.payload}'}\n`,
  acts: `id: acts\nmode: parallel\nsteps:\n  - {call: bench.act@1, with: '\${ctx}'}\n`,
} as const;

export async function startScenarioHost(
  home: string,
  durability: string,
  more: { readonly inFlight?: number; readonly settings?: object; readonly action?: string } = {},
): Promise<SpawnedHost> {
  const env = { NEIRA_DURABILITY: durability };
  const host = await spawnHost({ home, env, settings: SETTINGS, gates: SCRIPT_GATES });
  await host.events('bench.made@1', 'bench.act@1!');
  const added = await host.call(
    'POST',
    '/api/neira/plugins',
    { path: ENGINE },
    { query: '?enable=1&grant=all' },
  );
  required(added.status === 201, added.body);
  await host.open('scenario_engine');
  if (more.settings)
    await host.call('PUT', '/api/neira/plugins/scenario.engine/settings', { settings: more.settings });
  if (more.inFlight !== undefined) {
    const manifest = {
      id: 'driver',
      permissions: {},
      publishes: ['scenario.run@1'],
      subscribes: [{ event: 'scenario.completed@1' }],
      limits: { publishes: 1000, turn_ms: 10_000, concurrency: 8 },
      ui: { buttons: [{ id: 'driver', title: 'Drive', event: 'driver.go' }] },
    };
    required((await host.script(manifest, driver(more.inFlight))).status === 201, 'driver');
  }
  if (more.action !== undefined) {
    const { host: name } = new URL(more.action);
    const http = [{ host: name, methods: ['GET'], schemes: ['http'], private: true }];
    const manifest = {
      id: 'actor',
      permissions: { io: { http } },
      subscribes: [{ event: 'bench.act@1' }],
      limits: { requests_per_minute: 60_000 },
    };
    required((await host.script(manifest, ACTOR)).status === 201, 'actor');
  }
  for (const text of Object.values(SCENARIOS)) await save(host, text);
  return host;
}

async function save(host: SpawnedHost, text: string): Promise<void> {
  const saved = await host.call('POST', '/api/scenario/definitions', { files: { 'scenario.yaml': text } });
  required(saved.status === 200, saved.body);
  if (saved.body.state === 'active') return;
  const where = `/api/neira/plugins/scenario.engine/principals/${saved.body.id}/grants`;
  await host.call('PUT', where, {}, { query: '?grant=all' });
  for (let tries = 0; tries < 200; tries++) {
    if ((await host.call('GET', `/api/scenario/definitions/${saved.body.id}`)).body.state === 'active')
      return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`${saved.body.id} does not serve`);
}

/** How often an event was published since the host began. */
export async function publishedCount(host: SpawnedHost, event: string): Promise<number> {
  const { body } = await host.call('GET', '/metrics');
  const line = String(body)
    .split('\n')
    .find((each) => /published/.test(each) && each.includes(`"${event}"`));
  return Number(line?.split(' ').at(-1) ?? 0);
}

export function required(is: boolean, told: unknown): void {
  if (!is) throw new Error(JSON.stringify(told));
}
