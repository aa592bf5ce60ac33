/** How long a host takes to listen, and what a hundred plugins cost it in memory. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { SCRIPT_GATES, spawnHost } from '../kit/boot-host.ts';
import { atMost, mb, median, ms, type Section } from './kit.ts';
import { HANDLER_BODY } from './work.ts';

const PLUGINS = 100;
const BOOTS = 5;
const SETTLE_MS = 1500;
const MB = 1024 * 1024;
const ENV = { NEIRA_DURABILITY: 'power', NEIRA_LOG: 'error' };

const SOURCE = `import { get, set } from 'neira:host/storage';
function work(ev) {${HANDLER_BODY}
}
export function handle(event) {
  const { n } = event.payload.params;
  set('n', (get('n')?.value ?? 0) + n);
  return { actions: [{ type: 'n', work: typeof work }] };
}
`;

export function residentBytes(pid: number): number {
  return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })) * 1024;
}

async function bootMs(home: string): Promise<number> {
  const started = performance.now();
  const host = await spawnHost({ home, env: ENV });
  const took = performance.now() - started;
  await host.close();
  return took;
}

async function bootsMs(home: string): Promise<number> {
  const found: number[] = [];
  for (let boot = 0; boot < BOOTS; boot++) found.push(await bootMs(home));
  return median(found);
}

async function memoryOfPlugins(home: string): Promise<number> {
  const host = await spawnHost({ home, env: ENV, gates: SCRIPT_GATES });
  const settle = () => new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  await settle();
  const before = residentBytes(host.process.pid!);
  for (let n = 0; n < PLUGINS; n++) {
    const id = `bench.p${n}`;
    const manifest = {
      id,
      permissions: { storage: ['read', 'write'] },
      ui: { buttons: [{ id, title: id, event: 'bench.go' }] },
    };
    const answer = await host.script(manifest, SOURCE);
    if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
    const event = { tool_id: id, event: 'bench.go', params: { n }, context: {} };
    const called = await host.call('POST', '/api/neira/ui/events', event);
    if (called.status !== 200) throw new Error(JSON.stringify(called.body));
  }
  await settle();
  const grown = residentBytes(host.process.pid!) - before;
  await host.close();
  return grown / PLUGINS;
}

export async function run(): Promise<Section> {
  const home = mkdtempSync(path.join(tmpdir(), 'neira-bench-'));
  try {
    const fresh = await bootMs(home);
    const embryo = await bootsMs(home);
    const each = await memoryOfPlugins(home);
    const full = await bootsMs(home);
    return {
      name: 'size (durability power)',
      rows: [
        { what: 'boot into an empty home', figure: ms(fresh) },
        atMost('boot of an embryo, p50', embryo, 600, ms),
        atMost(`boot with ${PLUGINS} plugins, p50`, full, 2500, ms),
        atMost(`resident memory a plugin, ${PLUGINS} called once`, each, 1.5 * MB, mb),
      ],
      notes: [`boot is from spawn to the line that it listens, ${BOOTS} times`],
    };
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}
