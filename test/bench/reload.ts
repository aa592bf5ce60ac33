/** From a save of the author's file to the first event that the new code answers, watcher included; and what a lost cell costs. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Instance } from '../../host/sandbox/quickjs/instance.ts';
import { SCRIPT_GATES, spawnHost } from '../kit/boot-host.ts';
import { atMost, median, ms, quantile, type Section } from './kit.ts';
import { bootInstance, runTurn } from './turn.ts';
import { HANDLER_BODY } from './work.ts';

const SAVES = 40;
const WARM_UP = 5;
const BETWEEN_MS = 150;
const RESTORES = 60;
const GIVE_UP_MS = 5000;

const MANIFEST = `id: bench.saved
version: 1.0.0
kind: script
entry: main.ts
ui: {buttons: [{id: bench.saved, title: Saved, event: bench.saved.go}]}
`;

function source(version: number): string {
  return `function work(ev) {${HANDLER_BODY}
}
export function handle() {
  return { actions: [{ type: 'v', v: ${version}, work: typeof work }] };
}
`;
}

const sleep = (wait: number) => new Promise((resolve) => setTimeout(resolve, wait));

async function savesMs(): Promise<readonly number[]> {
  const folder = mkdtempSync(path.join(tmpdir(), 'neira-bench-saved-'));
  mkdirSync(folder, { recursive: true });
  const main = path.join(folder, 'main.ts');
  writeFileSync(path.join(folder, 'manifest.yaml'), MANIFEST);
  writeFileSync(main, source(0));
  const host = await spawnHost({
    gates: SCRIPT_GATES,
    env: { NEIRA_DURABILITY: 'power', NEIRA_LOG: 'error' },
    settings: 'http: {rate_per_minute: 10000000}\n',
  });
  const event = { tool_id: 'bench.saved', event: 'bench.saved.go', params: {}, context: {} };
  const serves = async () => (await host.call('POST', '/api/neira/ui/events', event)).body.actions?.[0]?.v;
  const found: number[] = [];
  try {
    const answer = await host.call(
      'POST',
      '/api/neira/plugins',
      { path: folder },
      { query: '?enable=1&grant=all' },
    );
    if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
    for (let version = 1; version <= SAVES; version++) {
      await sleep(BETWEEN_MS);
      const started = performance.now();
      writeFileSync(main, source(version));
      while ((await serves()) !== version) {
        if (performance.now() - started > GIVE_UP_MS) throw new Error('the save never became live');
        await sleep(1);
      }
      if (version > WARM_UP) found.push(performance.now() - started);
    }
  } finally {
    await host.close();
    rmSync(folder, { recursive: true, force: true });
  }
  return found;
}

/** What a cell does for a program that it has no instance of: restore from the image, then the turn. */
async function restoresMs(): Promise<readonly number[]> {
  const { image } = await bootInstance(`export function handle(ev) {${HANDLER_BODY}\n}`);
  return Array.from({ length: RESTORES }, () => {
    const started = performance.now();
    runTurn(Instance.restore(image, []));
    return performance.now() - started;
  });
}

export async function run(): Promise<Section> {
  const saves = await savesMs();
  const restores = await restoresMs();
  return {
    name: 'reload (durability power)',
    rows: [
      atMost('save → live, p50', median(saves), 40, ms),
      { what: 'save → live, p95', figure: ms(quantile(saves, 0.95)) },
      atMost('restore from the image and first turn, p50', median(restores), 5, ms),
      { what: 'restore and first turn, p95', figure: ms(quantile(restores, 0.95)) },
    ],
    notes: [
      `${SAVES - WARM_UP} saves in place of a file; live is the first event that the new code answers, asked for over HTTP without a pause; 15 ms of it are the watcher's quiet time`,
    ],
  };
}
