/**
 * Understanding (INT-02, INT-03): all English and Russian sentences of Home Assistant with 1,056 names, in the plugin
 * `intent.rules` as it comes – a script – and as the component that `neira build` makes of the same source. Its reference
 * in Python, hassil, takes 38 / 138 ms (p50 / p95) with that many names on a machine like this one; it cannot be
 * installed from npm.
 */
import { fileURLToPath } from 'node:url';
import { bootHost, COMPONENT_GATES, type TestHost } from '../kit/boot-host.ts';
import { componentFolder } from '../kit/component-folder.ts';
import {
  hasHaIntents,
  ruleFilesOf,
  sharedListsFile,
  type Vector,
  vectorsOf,
  worldOf,
} from '../kit/ha-intents.ts';
import { OUT_OF_SCOPE } from '../kit/intent-data/out-of-scope.ts';
import { atMost, median, ms, quantile, type Row, type Section } from './kit.ts';

const NAMES = 1056;
const SAVES = 12;
const RELOADS = 5;
const GIVE_UP_MS = 20_000;
const PLUGIN = new URL('../../plugins/scripts/intent_rules/', import.meta.url);

interface Figures {
  readonly hits: readonly number[];
  readonly misses: readonly number[];
  readonly loads: readonly number[];
  readonly saves: readonly number[];
  readonly asked: readonly number[];
}

export async function run(): Promise<Section> {
  if (!hasHaIntents())
    return { name: 'intents', rows: [], notes: ['not measured: ../shared/data is absent'] };
  const script = await figuresOf(fileURLToPath(PLUGIN));
  const component = await componentRows();
  return {
    name: 'intents (en and ru, 1,056 names; durability power)',
    rows: [
      atMost('script: a hit in the sandbox, p50', median(script.hits), 0.5, ms),
      atMost('script: a hit in the sandbox, p99', quantile(script.hits, 0.99), 3, ms),
      atMost('script: a miss in the sandbox, p50', median(script.misses), 0.5, ms),
      atMost('script: a miss in the sandbox, p99', quantile(script.misses, 0.99), 3, ms),
      atMost('script: load of everything', median(script.loads), 1500, ms),
      atMost('script: a file saved → understood, p50', median(script.saves), 300, ms),
      asked('script', script),
      ...component,
    ],
    notes: [
      `hits are the sentences of the ${vectorsOf().length} vectors that are understood in this one house, misses ${Object.values(OUT_OF_SCOPE).flat().length} sentences that mean nothing there, each told what came nearest`,
      'in the sandbox: from when the cell takes the turn until it has its answer; load: reload of the plugin, image included; both within the 64 MB that the manifest allows it',
    ],
  };
}

function asked(kind: string, figures: Figures): Row {
  const { asked: times } = figures;
  return {
    what: `${kind}: asked over HTTP, p50`,
    figure: `${ms(median(times))} (p99 ${ms(quantile(times, 0.99))})`,
  };
}

/** The same source in an interpreter inside of a component, whose instructions count as well: see what it comes to. */
async function componentRows(): Promise<readonly Row[]> {
  using component = await componentFolder(PLUGIN);
  try {
    const built = await figuresOf(fileURLToPath(component.folder));
    return [
      asked('component', built),
      { what: 'component: a hit in the sandbox, p50', figure: ms(median(built.hits)) },
      { what: 'component: a miss in the sandbox, p50', figure: ms(median(built.misses)) },
      { what: 'component: load of everything', figure: ms(median(built.loads)) },
    ];
  } catch (error) {
    const code = /NEIRA_\w+/.exec((error as Error).message)?.[0];
    if (code === undefined) throw error;
    return [{ what: 'component from the same source: teaching it the names ends with', figure: code }];
  }
}

async function figuresOf(folder: string): Promise<Figures> {
  const host = await bootHost({ env: { NEIRA_DURABILITY: 'power' } });
  try {
    await install(host, folder);
    const vectors = vectorsOf();
    const hits: string[] = [];
    for (const { text } of vectors) if ((await recognize(host, text)).intent !== null) hits.push(text);
    const [asked, hitTurns] = await timed(host, hits);
    const [, missTurns] = await timed(host, Object.values(OUT_OF_SCOPE).flat());
    return { hits: hitTurns, misses: missTurns, asked, loads: await loads(host), saves: await saves(host) };
  } finally {
    await host.close();
  }
}

async function install(host: TestHost, folder: string): Promise<void> {
  await host.open(...COMPONENT_GATES);
  const { status, body } = await host.call(
    'POST',
    '/api/neira/plugins',
    { path: folder },
    { query: '?enable=1&grant=all' },
  );
  if (status !== 201) throw new Error(JSON.stringify(body));
  await host.open('intent_rules');
  const files = Object.entries({ ...sharedListsFile(), ...ruleFilesOf('en'), ...ruleFilesOf('ru') });
  const common = files.filter(([file]) => !/\d/.test(file));
  const others = files.filter((each) => !common.includes(each));
  for (const page of [
    common,
    ...Array.from({ length: Math.ceil(others.length / 8) }, (_, n) => others.slice(8 * n, 8 * n + 8)),
  ])
    await required(host.call('POST', '/api/intent/rules', { files: Object.fromEntries(page) }));
  for (const [list, values] of Object.entries(houseOf(vectorsOf())))
    await required(host.call('PUT', `/api/intent/lists/${list}`, { values }));
  await untilUnderstood(host, `turn on ${LAST_NAME}`);
}

const LAST_NAME = 'gadget 1000';

/** The names of all worlds of the vectors, and as many more as are missing. */
function houseOf(vectors: readonly Vector[]) {
  const names = new Map<string, unknown>();
  const areas = new Set<string>();
  const floors = new Set<string>();
  for (const vector of vectors) {
    const world = worldOf(vector);
    for (const each of world.name) names.set(`${each.in} ${each.context.domain}`, each);
    for (const area of world.area) areas.add(area);
    for (const floor of world.floor) floors.add(floor);
  }
  for (let n = 1000; names.size + areas.size + floors.size < NAMES; n -= 1)
    names.set(`${n}`, { in: n % 2 ? `Прибор ${n}` : `Gadget ${n}`, context: { domain: 'light' } });
  return { name: [...names.values()], area: [...areas], floor: [...floors] };
}

async function timed(
  host: TestHost,
  texts: readonly string[],
): Promise<readonly [readonly number[], readonly number[]]> {
  const asked: number[] = [];
  const turns: number[] = [];
  for (let at = 0; at < texts.length; at += 100) {
    const page = texts.slice(at, at + 100);
    for (const text of page) {
      const started = performance.now();
      await recognize(host, text);
      asked.push(performance.now() - started);
    }
    const { body } = await host.call('GET', `/api/neira/turns?plugin=intent.rules&limit=${page.length}`);
    turns.push(...(body.turns as { run_ms: number }[]).map(({ run_ms }) => run_ms));
  }
  return [asked, turns];
}

async function loads(host: TestHost): Promise<readonly number[]> {
  const found: number[] = [];
  for (let n = 0; n < RELOADS; n += 1) {
    const started = performance.now();
    await required(host.call('POST', '/api/neira/plugins/intent.rules/reload'));
    found.push(performance.now() - started);
  }
  return found;
}

async function saves(host: TestHost): Promise<readonly number[]> {
  const found: number[] = [];
  for (let n = 0; n < SAVES; n += 1) {
    const started = performance.now();
    const text = `language: en\nintents: {Probe: {data: [{sentences: ["this is probe number ${n}"]}]}}\n`;
    await required(host.call('POST', '/api/intent/rules', { files: { 'probe.yaml': text } }));
    await untilUnderstood(host, `this is probe number ${n}`);
    found.push(performance.now() - started);
  }
  return found;
}

async function recognize(host: TestHost, text: string) {
  return (await required(host.call('POST', '/api/intent/recognize', { text, ctx: { area: 'Kitchen' } })))
    .body;
}

async function untilUnderstood(host: TestHost, text: string): Promise<void> {
  const started = performance.now();
  while ((await recognize(host, text)).intent === null)
    if (performance.now() - started > GIVE_UP_MS) throw new Error(`"${text}" was never understood`);
}

async function required(answer: ReturnType<TestHost['call']>) {
  const given = await answer;
  if (given.status >= 300) throw new Error(JSON.stringify(given.body).slice(0, 500));
  return given;
}
