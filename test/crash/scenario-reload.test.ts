// SCN-07, SCN-09, SCN-30: a new version of the engine, and the loss of its cell, are nothing that a run notices.
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test, vi } from 'vitest';
import { CellPool } from '../../host/sandbox/pool.ts';
import { seededRandom } from '../../host/store/test-store.ts';
import { bootHost, SCRIPT_GATES, type TestHost } from '../kit/boot-host.ts';
import { installScenarios, SCENARIO_ENGINE, scenariosOf } from '../kit/scenario-host.ts';
import { BAD, begun, GOOD, requireOnce } from './scenario-kit.ts';

const SEED = Number(process.env['CRASH_SEED'] ?? Date.now() % 1_000_000);
const TEST_MS = 90_000;
const ROUNDS = 6;

/** A copy of the engine's folder, as an author has one, with the packages of this repository. */
function copiedEngine(): string {
  const root = mkdtempSync(path.join(tmpdir(), 'neira-engine-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const folder = path.join(root, 'scenario_engine');
  cpSync(SCENARIO_ENGINE, folder, { recursive: true });
  symlinkSync(path.join(import.meta.dirname, '../../node_modules'), path.join(root, 'node_modules'));
  return folder;
}

async function prepared(host: TestHost, folder?: string): Promise<void> {
  onTestFinished(() => host.close());
  await installScenarios(host, undefined, folder);
  for (const text of [GOOD, BAD]) await scenariosOf(host).save(text);
}

test(
  `the engine gets new versions while runs go on (CRASH_SEED=${SEED})`,
  async () => {
    console.log(`scenario reload test: CRASH_SEED=${SEED}`);
    const random = seededRandom(SEED);
    const folder = copiedEngine();
    const host = await bootHost({ gates: SCRIPT_GATES });
    await prepared(host, folder);
    const digests = new Set<string>();
    const runs = await begun(host);
    const main = path.join(folder, 'main.ts');
    const source = readFileSync(main, 'utf8');
    for (let round = 0; round < ROUNDS; round++) {
      await sleep(random(400));
      writeFileSync(main, `${source}// ${round}\n`);
      const version = async () => {
        const { body } = await host.call('GET', '/api/neira/plugins/scenario.engine');
        const current = body.versions.find(({ current: is }: { current: boolean }) => is).digest as string;
        return digests.has(current) ? undefined : current;
      };
      let found: string | undefined;
      await expect
        .poll(async () => (found = await version()), { timeout: 15_000, interval: 50 })
        .toBeDefined();
      digests.add(found!);
    }
    expect(digests.size).toBe(ROUNDS);
    await requireOnce(host, runs);
  },
  TEST_MS,
);

const KILLER = `
import { log } from 'neira:host/io';
export function handle() { log('info', 'fault: exit'); return {}; }`;

test(
  `the cell of the engine is lost again and again (CRASH_SEED=${SEED})`,
  async () => {
    const random = seededRandom(SEED);
    const open = CellPool.open.bind(CellPool);
    // A cell that dies where a plugin logs that it shall.
    const entry = new URL('../hostile/stuck-cell.ts', import.meta.url);
    const spy = vi.spyOn(CellPool, 'open');
    spy.mockImplementation((options, listener) => open({ ...options, entry }, listener));
    const host = await bootHost({ gates: SCRIPT_GATES, env: { NEIRA_CELLS: '1' } }).finally(() =>
      spy.mockRestore(),
    );
    await prepared(host);
    // Each is blamed for what it does, and would be stopped if it went on.
    const killers = Array.from({ length: ROUNDS }, (_, n) => `killer${n}`);
    for (const id of killers) {
      const ui = { buttons: [{ id, title: id, event: `${id}.go` }] };
      expect((await host.script({ id, permissions: {}, ui }, KILLER)).status).toBe(201);
    }
    const runs = await begun(host);
    for (const id of killers) {
      await sleep(random(300));
      expect((await host.event(id)).body).toMatchObject({ code: 'NEIRA_CELL_LOST', plugin: id });
    }
    await requireOnce(host, runs);
  },
  TEST_MS,
);
