/**
 * A handler that computes: a search through 10,000 messages which no index holds yet – every text taken apart, every
 * word stemmed and compared, every hit scored – as the component text.search, as a script by the same rules
 * (test/kit/search-reference.ts), and as plain JavaScript in V8 (HOST-11).
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buildComponent } from '../../host/sandbox/component/build/build-component.ts';
import { ComponentInstance } from '../../host/sandbox/component/component-instance.ts';
import { bundlePlugin } from '../../host/sandbox/quickjs/bundle.ts';
import { guestCode } from '../../host/sandbox/quickjs/guest-code.ts';
import { Instance } from '../../host/sandbox/quickjs/instance.ts';
import type { HostCalls, RunResult } from '../../host/sandbox/run-result.ts';
import { type Searched, searchAll } from '../kit/search-reference.ts';
import { atLeast, interleave, median, ms, type Row, ratio, type Section, times } from './kit.ts';

const MESSAGES = 10_000;
const PAGE = 1000;
const WORDS_EACH = 10;
const ROUNDS = 5;
const MEMORY_MB = 64;
const QUERY = '"купили хлеба" -сервер погод';

const KIT = path.resolve(import.meta.dirname, '../kit');
const PLUGIN = path.resolve(import.meta.dirname, '../../plugins/wasm/text_search/plugin.wasm');
const RULES = ['search-reference.ts', 'stem-english.ts', 'stem-russian.ts'];

/** The script reads its messages as the component does, from the host and page by page. */
const SCRIPT = `
import { records } from 'neira:host/storage';
import { searchAll } from './search-reference.ts';
export function handle({ payload: { q, limit } }) {
  const all = [];
  for (let page = records({ limit: ${PAGE}, textOnly: true }); page.length > 0; ) {
    all.push(...page);
    page = records({ after: page.at(-1).number, limit: ${PAGE}, textOnly: true });
  }
  return { result: { hits: searchAll(all, { q }).slice(0, limit), next: null } };
}`;

const VOCABULARY = (
  'хлеб хлеба молоко молоком книгу книгами дорога дороге погода погоды работа работали город городом машина ' +
  'вечером завтра купили купила поехали красивый красивая быстро думаем говорить время людей сервер сервера ' +
  'meeting meetings tomorrow running searches quickly project projects database message messages server weather'
).split(' ');

/** The same ones each time. */
function messages(): Searched[] {
  let drawn = 1;
  const below = (n: number) => {
    drawn = (Math.imul(drawn, 1103515245) + 12345) & 0x7fffffff;
    return (drawn >> 8) % n;
  };
  const word = () => `${VOCABULARY[below(VOCABULARY.length)]}${below(4) === 0 ? below(1000) : ''}`;
  return Array.from({ length: MESSAGES }, (_, at) => ({
    number: at + 1,
    type: 'message',
    id: `message-${at}`,
    plugin: 'chat',
    chatId: `chat-${at % 7}`,
    sessionId: 'today',
    text: Array.from({ length: WORDS_EACH }, word).join(' '),
  }));
}

/** A host with these records, an empty storage, and pages that cost it nothing to make. */
function hostOf(all: readonly Searched[]): HostCalls {
  const pages = Array.from({ length: MESSAGES / PAGE }, (_, at) =>
    JSON.stringify(all.slice(at * PAGE, (at + 1) * PAGE)),
  );
  return {
    call(op, [options = '']) {
      if (op !== 'storage.records') return 'U';
      const { after = 0, limit = PAGE } = JSON.parse(options || '{}') as { after?: number; limit?: number };
      return `V${limit === 1 ? JSON.stringify([all[after]]) : (pages[after / PAGE] ?? '[]')}`;
    },
    randomBytes: (count) => new Uint8Array(count),
    nowMs: () => 0,
  };
}

const budget = () => ({
  softFuel: 1e9,
  hardFuel: 1e9,
  wallDeadlineMs: performance.now() + 60_000,
  maxOutputBytes: 1024 * 1024,
});
const event = JSON.stringify({
  event_name: 'search.query',
  payload: { q: QUERY, order: 'score', limit: 20 },
});

/** Numbers of the records that it found, the best first. */
function foundBy(result: RunResult | { readonly kind: 'suspended' }): readonly number[] {
  if (result.kind !== 'value') throw new Error(`the search ended with ${JSON.stringify(result)}`);
  const reply = JSON.parse(result.json!) as { result: { hits: { number: number }[] } };
  return reply.result.hits.map(({ number }) => number);
}

async function componentSearch(host: HostCalls): Promise<() => Promise<readonly number[]>> {
  const built = await buildComponent(readFileSync(PLUGIN), { maxMemoryBytes: MEMORY_MB * 1024 * 1024 });
  const { image } = await ComponentInstance.boot(built, host, budget());
  // It needs more memory than it has at first, so each turn gets an instance of its own.
  return async () => foundBy(await ComponentInstance.restore(image).run(event, host, budget()));
}

async function scriptSearch(host: HostCalls): Promise<() => readonly number[]> {
  const folder = mkdtempSync(path.join(tmpdir(), 'neira-bench-'));
  try {
    for (const name of RULES) cpSync(path.join(KIT, name), path.join(folder, name));
    writeFileSync(path.join(folder, 'main.ts'), SCRIPT);
    const { code } = await bundlePlugin(folder, 'main.ts');
    const source = { ...(await guestCode()), code, name: 'plugin:search' };
    const instance = Instance.boot(source, MEMORY_MB * 2, host, budget());
    return () => {
      const found = foundBy(instance.run(event, host, budget()));
      instance.reset();
      return found;
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Rows of the table. @throws when the three do not find the same */
export async function compareSearch(): Promise<readonly Row[]> {
  const all = messages();
  const host = hostOf(all);
  const component = await componentSearch(host);
  const script = await scriptSearch(host);
  const plain = () =>
    searchAll(all, { q: QUERY })
      .slice(0, 20)
      .map(({ number }) => number);
  const answers = [await component(), script(), plain()].map((each) => JSON.stringify(each));
  if (new Set(answers).size !== 1 || answers[0] === '[]')
    throw new Error(`the contenders found other records: ${answers.join(' ')}`);
  const found = await interleave(
    [
      { name: 'component', count: 1, run: async () => void (await component()) },
      { name: 'script', count: 1, run: () => void script() },
      { name: 'plain', count: 1, run: () => void plain() },
    ],
    ROUNDS,
  );
  const [ofComponent, ofScript, ofPlain] = ['component', 'script', 'plain'].map((name) => found.get(name)!);
  const show = (micros: readonly number[]) => ms(median(micros) / 1000);
  return [
    { what: 'search through 10,000 messages, component', figure: show(ofComponent!) },
    { what: 'the same as a script', figure: show(ofScript!) },
    { what: 'the same in plain V8', figure: show(ofPlain!) },
    atLeast('component against script', ratio(ofScript!, ofComponent!), 10, times),
    { what: 'component against plain V8', figure: times(ratio(ofPlain!, ofComponent!)) },
  ];
}

export async function run(): Promise<Section> {
  return {
    name: 'A handler that computes: search',
    rows: await compareSearch(),
    notes: [
      `${MESSAGES} messages of ${WORDS_EACH} words, ru and en; medians of ${ROUNDS} rounds in one thread`,
      'the component and the script read the messages from the host; plain V8 has them in memory',
    ],
  };
}
