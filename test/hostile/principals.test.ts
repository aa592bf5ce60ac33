import { afterAll, beforeAll, expect, test } from 'vitest';
import { Engine, echo, REGISTER, STORE } from '../e2e/principal-kit.ts';
import { bootHost, SCRIPT_GATES, type TestHost } from '../kit/boot-host.ts';

/**
 * A plugin that changes what the language is made of gains nothing by acting for others: who acts is the host's
 * word, and what one principal may stays what it was granted.
 */

let host: TestHost;

beforeAll(async () => {
  host = await bootHost({ gates: SCRIPT_GATES });
  await echo(host);
});
afterAll(() => host.close());

const EVIL = '((...all) => { throw new Error("evil"); })';
const ATTACKS: readonly (readonly [what: string, attack: string])[] = [
  [
    'Function.prototype',
    `Function.prototype.call = Function.prototype.apply = Function.prototype.bind = ${EVIL};`,
  ],
  ['Reflect', `Reflect.apply = ${EVIL}; globalThis.Reflect = null;`],
  ['Object', `Object.create = Object.freeze = Object.entries = Object.keys = ${EVIL};`],
  [
    'the Array iterator',
    `Array.prototype[Symbol.iterator] = function* () { yield 'storage.set'; yield 'principals.act-as'; yield ''; };`,
  ],
  [
    'Array.prototype',
    `for (const k of ['push', 'map', 'join', 'slice', 'concat']) Array.prototype[k] = ${EVIL};
     Object.defineProperty(Array.prototype, 0, { set() {}, get: () => '', configurable: true });`,
  ],
  ['JSON', 'JSON.stringify = () => \'"forged"\'; JSON.parse = () => ({ forged: true });'],
  ['Promise', `Promise.prototype.then = ${EVIL}; globalThis.Promise = class {};`],
  [
    'Object.prototype',
    `Object.defineProperty(Object.prototype, 'id', { get: () => 'granted', set() {}, configurable: true });`,
  ],
];

test.each(ATTACKS)(
  '%s replaced leads no call to another principal, and none to the plugin’s own grants',
  async (what, attack) => {
    const id = `hostile${ATTACKS.findIndex(([each]) => each === what)}`;
    const engine = await Engine.register(
      host,
      id,
      `${REGISTER}
     attack() {
       const seen = [];
       const note = (fn) => { try { seen[seen.length] = 'did ' + fn(); } catch (error) { seen[seen.length] = String(error.code || error.message); } };
       try { ${attack} } catch {}
       note(() => as('idle').storage.set('k', 'of idle'));
       note(() => as('granted').storage.set('k', 'of granted'));
       note(() => as('idle').storage.get('k'));
       note(() => as('nobody').storage.get('k'));
       note(() => storage.set('own', 'of the plugin'));
       return seen[0] + '|' + seen[2] + '|' + seen[3];
     },
     keys() { return storage.list('').map(({ key, value }) => [key, value]); },`,
    );
    await engine.run('join', { id: 'idle', permissions: STORE });
    await engine.run('join', { id: 'granted', permissions: STORE });
    await engine.grant('granted');
    // It may fail by what it did; then nothing of it is kept.
    const answer = await engine.send('attack');
    if (answer.status === 200 && typeof answer.body.actions?.[0]?.answer === 'string')
      expect(answer.body.actions[0].answer).not.toContain('did');
    const kept = (await engine.run('keys')) as [string, string][];
    for (const [key, value] of kept) {
      expect(['own', 'principal:granted/k']).toContain(key);
      expect(value).toBe(key === 'own' ? 'of the plugin' : 'of granted');
    }
  },
);

test('an accessor that runs while an answer is unpacked acts for nobody but itself', async () => {
  const engine = await Engine.register(
    host,
    'thenable',
    `${REGISTER}
     async attack() {
       let seen = 'nothing';
       Object.defineProperty(Object.prototype, 'then', {
         configurable: true,
         get() { seen = storage.list('').map(({ key }) => key).join(); return undefined; },
       });
       const answer = await as('asker').bus.request('echo.ask', { a: 1 });
       delete Object.prototype.then;
       return [answer.source, seen];
     },`,
  );
  await engine.run('join', { id: 'asker', permissions: { bus: { publish: ['echo.ask'] } } });
  await engine.grant('asker');
  expect(await engine.run('attack')).toEqual(['plugin:thenable/asker', '']);
});

test('ids that only look like another, or lead somewhere else, are nobody', async () => {
  const engine = await Engine.register(
    host,
    'lookalike',
    `${REGISTER} try({ ids }) { return Promise.all(ids.map((id) => tried(() => as(id).storage.get('k')))); },`,
  );
  await engine.run('join', { id: 'morning', permissions: STORE });
  await engine.grant('morning');
  const ids = [
    'mоrning',
    'morning\u200b',
    'Morning',
    'morning/',
    'morning/..',
    ' morning',
    'morning\n',
    'ｍorning',
    '__proto__',
    'constructor',
    '%6dorning',
    'morning%00',
    "' or 1=1 --",
  ];
  for (const answer of await engine.run('try', { ids }))
    expect(answer).toMatchObject({ code: 'NEIRA_PRINCIPAL_UNKNOWN' });
  const odd = await engine.run('try', { ids: ['', 7, null, {}, ['morning']] });
  for (const { code } of odd) expect(code).toMatch(/^principal must/);
});
