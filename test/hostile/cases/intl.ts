import type { HostileBoot, HostileCase } from '../harness.ts';

/** Whichever comes first on a machine that others use as well. */
const CPU = ['NEIRA_CPU_EXCEEDED', 'NEIRA_TURN_TIMEOUT'];
const LONG = { cpu_ms: 500, turn_ms: 5000 };
const LARGE = 'NEIRA_VALUE_TOO_LARGE';

const refusals = (call: string) =>
  `const codes = []; for (const make of [${call}]) { try { make(); codes.push('ok'); } catch (error) { codes.push(error.code ?? error.name); } } return { actions: [{ codes: codes.join() }] };`;

/** What a plugin may ask of the host's Intl and of its clock (HOST-25). */
export const INTL: readonly HostileCase[] = [
  {
    name: 'formatters of every kind for ever are ended, and their memory comes back',
    attack: `const zones = Intl.supportedValuesOf('timeZone');
      for (let i = 0; ; i++) new Intl.DateTimeFormat('ru', { timeZone: zones[i % zones.length], minute: i % 2 ? '2-digit' : 'numeric', fractionalSecondDigits: 1 + i % 3, era: i % 5 ? 'long' : 'short' }).format(i);`,
    limits: LONG,
    expect: CPU,
  },
  {
    name: 'formatters of every language for ever are ended',
    attack: `const [a, b] = ['abcdefghijklmnopqrstuvwxyz', 'abcdefghijklmnopqrstuvwxyz'];
      const all = []; for (const x of a) for (const y of b) all.push(x + y);
      for (;;) for (const each of Intl.DateTimeFormat.supportedLocalesOf(all.slice(0, 8)).concat(all)) new Intl.DateTimeFormat(each, { dateStyle: 'full' }).formatToParts(0);`,
    limits: LONG,
    expect: CPU,
  },
  {
    name: 'rankings of ten thousand texts for ever are ended',
    attack:
      "const texts = Array.from({ length: 9999 }, (_, i) => 'text' + i * 7919 % 9973); const compare = new Intl.Collator('ru', { numeric: true }).compare; for (;;) { texts.sort(compare); texts.push('x' + Math.random()); }",
    limits: LONG,
    expect: CPU,
  },
  {
    name: 'texts of combining marks, the longest that are taken, are compared at their price',
    attack:
      "const marks = 'a' + '\\u0301\\u0316'.repeat(5000); for (let i = 0; ; i++) (marks + i).localeCompare(marks + (i + 1));",
    expect: CPU,
  },
  {
    name: 'texts to segment for ever are ended',
    attack:
      "const text = 'ภาษาไทย'.repeat(500); for (;;) [...new Intl.Segmenter('th', { granularity: 'word' }).segment(text)];",
    expect: CPU,
  },
  {
    name: 'what is too large, or too much, is refused in words',
    attack: refusals(`
      () => new Intl.NumberFormat(Array(1000).fill('ru')),
      () => new Intl.NumberFormat('x'.repeat(5000)),
      () => new Intl.NumberFormat('en').format('1'.repeat(100000)),
      () => new Intl.NumberFormat('en', { currency: 'x'.repeat(1000) }),
      () => new Intl.ListFormat('en').format(Array(70000).fill('a')),
      () => [...new Intl.Segmenter('en').segment('a'.repeat(100000))],
      () => 'a'.repeat(100000).localeCompare('b')`),
    expect: 'ok',
    actions: [
      {
        codes: `${LARGE},${LARGE},${LARGE},NEIRA_VALUE_INVALID,${LARGE},${LARGE},${LARGE}`,
      },
    ],
  },
  {
    name: 'options that are no options, loop or throw are the plugin’s own trouble',
    attack: refusals(`
      () => new Intl.NumberFormat('en', { get style() { throw new TypeError('own'); } }),
      () => new Intl.NumberFormat('en', { style: { toString() { throw new TypeError('own'); } } }),
      () => new Intl.NumberFormat('en', new Proxy({}, { get() { throw new TypeError('own'); } })),
      () => new Intl.NumberFormat({ length: 3, 0: 'en', get 1() { throw new TypeError('own'); } }),
      () => new Intl.DateTimeFormat('en', { timeZone: '../../etc/localtime' }),
      () => new Intl.DateTimeFormat('en', { timeZone: 'UTC\\0' }),
      () => new Intl.Collator('en\\0'),
      () => new Intl.Collator('\\ud800')`),
    expect: 'ok',
    actions: [
      { codes: 'TypeError,TypeError,TypeError,TypeError,RangeError,RangeError,RangeError,RangeError' },
    ],
  },
  {
    name: 'a locale list without an end is ended',
    attack: "new Intl.NumberFormat({ length: 1e12, toString() { return 'en'; } });",
    expect: [...CPU, 'NEIRA_PLUGIN_FAILED', 'NEIRA_MEMORY_EXCEEDED'],
  },
  {
    name: 'a plugin that patched everything its Intl is made of reaches nothing but that',
    top: "import { call } from 'neira:host/intl';",
    attack: `
      JSON.stringify = () => '["process"]'; Object.entries = () => [['constructor', 1]]; Map.prototype.get = () => undefined;
      Object.prototype.intl = () => 'forged'; Array.prototype.map = () => ['x'];
      let odd = ''; try { odd = String(new Intl.NumberFormat('en').format(1)); } catch (error) { odd = error.name; }
      let answer; try { answer = call('NumberFormat', 'format', ['en'], {}, [1]); } catch (error) { answer = error.code ?? error.name; }
      return { actions: [{ odd: typeof odd, answer: typeof answer }] };`,
    expect: 'ok',
    actions: [{ odd: 'string', answer: 'string' }],
  },
  // --- time
  {
    name: 'a hundred thousand timers are memory and fuel of the plugin, and one wait',
    attack: 'for (let i = 0; i < 100_000; i++) setTimeout(() => {}, 1e9 - i); await new Promise(() => {});',
    limits: { wait_ms: 300, ...LONG },
    expect: ['NEIRA_WAIT_TIMEOUT', ...CPU, 'NEIRA_MEMORY_EXCEEDED'],
  },
  {
    name: 'a timer that sets the next one, without a delay, is ended',
    attack: '(function again() { setTimeout(again, 0); })(); await new Promise(() => {});',
    expect: CPU,
  },
  {
    name: 'a timer that spins is ended like any code',
    attack: 'setTimeout(() => { for (;;); }, 1); await new Promise(() => {});',
    expect: CPU,
  },
  {
    name: 'timers of a thousand moments end with the host calls',
    attack: 'setInterval(() => {}, 0.1); await new Promise(() => {});',
    limits: { host_calls: 50, wait_ms: 10_000 },
    expect: ['NEIRA_HOST_CALLS_EXCEEDED', 'NEIRA_WAIT_TIMEOUT'],
  },
  {
    name: 'delays that are no numbers are none, and their conversions may throw where they are set',
    attack: refusals(`
      () => setTimeout(() => {}, NaN), () => setTimeout(() => {}, -Infinity), () => setTimeout(() => {}, {}),
      () => setTimeout(() => {}, { valueOf() { throw new TypeError('own'); } }), () => setTimeout(() => {}, Symbol()),
      () => setTimeout(() => {}, 10n), () => clearTimeout({}), () => clearInterval(Symbol())`),
    expect: 'ok',
    actions: [{ codes: 'ok,ok,ok,TypeError,TypeError,ok,ok,ok' }],
  },
];

export const BOOT_INTL: readonly HostileBoot[] = [
  {
    name: 'formatters for ever in top-level code end with the budget of a boot',
    source:
      "for (let i = 0; ; i++) new Intl.NumberFormat('en', { maximumFractionDigits: i % 90, minimumIntegerDigits: 1 + i % 20 }); export function handle() {}",
    code: 'NEIRA_BOOT_FAILED',
  },
  {
    name: 'a timer in top-level code is refused: an image does not wait',
    source: 'setTimeout(() => {}, 1); export function handle() {}',
    code: 'NEIRA_BOOT_FAILED',
    reason: /prepare\(\)/,
  },
];
