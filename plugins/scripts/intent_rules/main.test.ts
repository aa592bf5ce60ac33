// INT-01…04, INT-07, SCN-35: rules are saved, understood, changed while the host runs, and refused with the place of the mistake.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Answer, bootHost, SCRIPT_GATES, type TestHost } from '../../../test/kit/boot-host.ts';

const FOLDER = new URL('.', import.meta.url).pathname;

let host: TestHost;
beforeAll(async () => {
  host = await bootHost();
  await host.open(...SCRIPT_GATES);
  const added = await host.call(
    'POST',
    '/api/neira/plugins',
    { path: FOLDER },
    { query: '?enable=1&grant=all' },
  );
  expect(added.status, JSON.stringify(added.body)).toBe(201);
}, 60_000);
afterAll(() => host.close());

const save = (files: Record<string, string>) => host.call('POST', '/api/intent/rules', { files });
const recognize = async (text: string, more: object = {}) =>
  (await host.call('POST', '/api/intent/recognize', { text, ...more })).body;
/** The image is made behind the save: until it serves. */
const serves = (text: string, intent: string | null) =>
  expect.poll(async () => (await recognize(text)).intent, { timeout: 10_000 }).toBe(intent);

const saved = async (files: Record<string, string>): Promise<Answer['body']> => {
  const { status, body } = await save(files);
  expect(status, JSON.stringify(body)).toBe(200);
  return body;
};

test('while its gate is locked nothing is understood, and the answer says which key is missing', async () => {
  const { status, body } = await host.call('POST', '/api/intent/recognize', { text: 'weather' });
  expect([status, body.code]).toEqual([409, 'NEIRA_PLUGIN_INACTIVE']);
  expect(body.detail).toContain('intent_rules');
  await host.open('intent_rules');
  expect(await recognize('weather')).toMatchObject({ ok: true, intent: null, nearest: { kind: 'no_rules' } });
});

test('the short form of the source: a sentence, and the scenario that it begins', async () => {
  const rule = `'"погода {city}" -> scenario.run(weather_now, {city})'`;
  await saved({ 'weather.yaml': `language: ru\nrules:\n  - ${rule}\n` });
  await serves('погода берлин', 'weather.now');
  expect(await recognize('Погода: Берлин?')).toMatchObject({
    intent: 'weather.now',
    slots: { city: 'Берлин' },
    locale: 'ru',
    confidence: 0.75,
    run: { scenario: 'weather_now', ctx: { city: 'Берлин' } },
    explain: { rule: 'weather.yaml:3', template: 'погода {city}' },
  });
});

test('with a list of cities their forms are known, and what is no city is told', async () => {
  await saved({
    'cities.yaml':
      'language: ru\nlists: {city: {values: [Берлин, {in: Москва, out: moscow}], names: true}}\n',
  });
  await expect
    .poll(async () => (await recognize('погода москву')).slots, { timeout: 10_000 })
    .toEqual({ city: 'moscow' });
  expect(await recognize('погода в токио')).toMatchObject({
    intent: null,
    nearest: { kind: 'unknown_value', intent: 'weather.now', slot: 'city', text: 'в токио' },
    message: 'Не знаю «в токио» (city)',
  });
});

test('a rule that says the words itself beats a wildcard, and a longer name a shorter one', async () => {
  await saved({
    'notes.yaml': [
      'language: en',
      'lists:',
      '  note: {wildcard: true}',
      '  name: {values: [Lamp, Lamp Left], names: true}',
      'intents:',
      '  Note: {data: [{sentences: ["note [that] {note}"]}]}',
      '  Show: {data: [{sentences: ["note the time"]}]}',
      '  On: {data: [{sentences: ["turn on {name} [left]"], requires_context: {area: {slot: true}}}]}',
    ].join('\n'),
  });
  await serves('note the time', 'Show');
  expect(await recognize('note that the Cat is out')).toMatchObject({
    intent: 'Note',
    slots: { note: 'the Cat is out' },
  });
  expect(await recognize('Turn on lamp left!', { ctx: { area: 'Hall' } })).toMatchObject({
    slots: { name: 'Lamp Left', area: 'Hall' },
  });
  expect(await recognize('turn on lamp')).toMatchObject({
    intent: null,
    nearest: { kind: 'context', missing: ['area'] },
  });
});

test.each([
  ['an unknown key', 'language: en\nintnets: {}\n', 'bad.yaml:2:10', 'did you mean `intents`?'],
  [
    'a group that is not closed',
    'language: en\nintents:\n  A:\n    data:\n      - sentences: ["turn (on"]\n',
    'bad.yaml:5:21',
    'not closed',
  ],
  [
    'a rule that there is not',
    'language: en\nexpansion_rules: {the: (the|my)}\nintents: {A: {data: [{sentences: ["<teh> cat"]}]}}\n',
    'bad.yaml:3:',
    'did you mean `the`?',
  ],
  [
    'rules that lead to themselves',
    'language: en\nexpansion_rules: {a: "<b>", b: "x <a>"}\nintents: {A: {data: [{sentences: ["<a>"]}]}}\n',
    'bad.yaml:3:',
    '<a> → <b> → <a>',
  ],
  ['a short form without an arrow', 'language: en\nrules: ["weather {city}"]\n', 'bad.yaml:2:9', 'write `'],
  [
    'sentences without end',
    `language: en\nintents: {A: {data: [{sentences: ["${'[a|b|c][ d|e|f]'.repeat(12)}"]}]}}\n`,
    'bad.yaml:1:1',
    'split it',
  ],
  [
    'a scenario that is to get what nobody says',
    'language: en\nrules:\n  - \'"weather in {city}" -> scenario.run(weather_now, {town: "{cty}"})\'\n',
    'bad.yaml:3:1',
    'did you mean `city`?',
  ],
  ['no YAML', 'language: [en\n', 'bad.yaml:', 'no YAML'],
])(
  '%s is refused with line, column and what to do; the file that served goes on',
  async (_, text, place, remedy) => {
    const { status, body } = await save({ 'weather.yaml': 'language: ru\n', 'bad.yaml': text });
    expect(status, JSON.stringify(body).slice(0, 300)).toBe(422);
    expect(JSON.stringify(body)).toContain(place);
    expect(JSON.stringify(body)).toContain(remedy);
    expect(await recognize('погода берлин')).toMatchObject({ intent: 'weather.now' });
  },
);

test('a rule that other files use: changed, they change; it cannot be removed before them', async () => {
  await saved({ 'a-words.yaml': 'language: en\nexpansion_rules: {greet: (hello|hi)}\n' });
  await saved({
    'b-greet.yaml': 'language: en\nintents: {Greet: {data: [{sentences: ["<greet> house"]}]}}\n',
  });
  await serves('hi house', 'Greet');
  await saved({ 'a-words.yaml': 'language: en\nexpansion_rules: {greet: (hello|good morning)}\n' });
  await serves('good morning house', 'Greet');
  expect((await recognize('hi house')).intent).toBeNull();
  const refused = await host.call('DELETE', '/api/intent/rules/a-words.yaml');
  expect([refused.status, refused.body.code]).toEqual([409, 'INTENT_FILE_USED']);
  expect((await host.call('DELETE', '/api/intent/rules/b-greet.yaml')).body).toMatchObject({ ok: true });
  await serves('good morning house', null);
  expect((await host.call('DELETE', '/api/intent/rules/a-words.yaml')).body).toMatchObject({ ok: true });
});

test('a list goes to another file, and its values change with a rule that they use', async () => {
  const value = '{values: [{in: "<colour> one", out: one}]}';
  await saved({
    'c-list.yaml': `language: en\nexpansion_rules: {colour: (red|blue)}\nlists: {thing: ${value}}\n`,
    'd-use.yaml': 'language: en\nintents: {Take: {data: [{sentences: ["take the {thing}"]}]}}\n',
  });
  await serves('take the red one', 'Take');
  await saved({
    'a-list.yaml': `language: en\nlists: {thing: ${value}}\n`,
    'c-list.yaml': 'language: en\nexpansion_rules: {colour: (red|green)}\n',
  });
  await serves('take the green one', 'Take');
  expect((await recognize('take the blue one')).intent).toBeNull();
  await saved({ 'c-list.yaml': 'language: en\nexpansion_rules: {colour: (white|black)}\n' });
  await serves('take the black one', 'Take');
  expect((await host.call('DELETE', '/api/intent/rules/c-list.yaml')).body).toMatchObject({
    code: 'INTENT_FILE_USED',
  });
  for (const file of ['a-list.yaml', 'd-use.yaml', 'c-list.yaml'])
    expect((await host.call('DELETE', `/api/intent/rules/${file}`)).status).toBe(200);
  await serves('take the black one', null);
});

test('two rules that the same words mean are found, and one that another always comes before', async () => {
  await saved({
    'a-first.yaml': 'language: en\nintents: {Stop: {data: [{sentences: ["(stop|halt) now"]}]}}\n',
    'b-second.yaml':
      'language: en\nintents: {Halt: {data: [{sentences: ["halt now", "halt at [the] {door}"]}]}}\n',
  });
  await serves('halt now', 'Stop');
  const { findings, failed } = (await host.call('GET', '/api/intent/check')).body;
  expect(failed).toBe(2);
  expect(findings).toContainEqual(
    expect.objectContaining({
      kind: 'unreachable',
      rule: 'b-second.yaml:2',
      template: 'halt now',
      other: { rule: 'a-first.yaml:2', template: '(stop|halt) now' },
    }),
  );
  expect(findings).toContainEqual(expect.objectContaining({ kind: 'unknown_list', template: '{door}' }));
});

test('a thousand names are taught in one command, and any sentence is answered', async () => {
  const values = Array.from({ length: 1000 }, (_, n) => ({ in: `Девайс ${n}`, out: `d${n}` }));
  const taught = await host.call('PUT', '/api/intent/lists/device', { values });
  expect(taught.body, JSON.stringify(taught.body).slice(0, 300)).toMatchObject({ ok: true, values: 1000 });
  await saved({
    'device.yaml': 'language: ru\nintents: {Ping: {data: [{sentences: ["проверь {device}"]}]}}\n',
  });
  await serves('проверь девайса 777', 'Ping');
  expect((await recognize('проверь девайса 777')).slots).toEqual({ device: 'd777' });
  expect(await recognize('')).toMatchObject({ status: 422 });
  expect(await recognize('?!')).toMatchObject({ intent: null, nearest: { kind: 'no_words' } });
  expect(await recognize('слово '.repeat(1500))).toMatchObject({
    intent: null,
    nearest: { kind: 'too_long' },
  });
});

test('what was saved is listed and shown as it was written', async () => {
  const { files } = (await host.call('GET', '/api/intent/rules')).body;
  expect(files.map(({ file }: { file: string }) => file)).toContain('notes.yaml');
  const { body } = await host.call('GET', '/api/intent/rules/weather.yaml');
  expect(body).toMatchObject({ ok: true, language: 'ru', sentences: 1, intents: ['weather.now'] });
  expect(body.text).toContain('"погода {city}" -> scenario.run(weather_now, {city})');
  expect((await host.call('GET', '/api/intent/rules/none.yaml')).body).toMatchObject({
    code: 'INTENT_FILE_UNKNOWN',
    status: 404,
  });
});
