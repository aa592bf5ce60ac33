import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bootPlugin, type PluginOptions, recordedTurns } from '../../../test/kit/boot-plugin.ts';
import { type ComponentFolder, componentFolder } from '../../../test/kit/component-folder.ts';
import { inLanguageOf, TEXTS } from './texts.ts';

const EVENT = 'ui.pencil.draw';
const context = { chat_id: 'чат-1', session_id: 's.1' };
const points = [[10, 20.126], { x: -5, y: 40 }, [30, 0]];

const HERE = new URL('.', import.meta.url);

test.each([
  ['ru-RU,ru;q=0.9,en;q=0.8', ['ru']],
  ['de, en;q=0.5, ru;q=0.7', ['ru']],
  ['EN', ['en']],
  ['de', ['ru', 'en']],
  ['', ['ru', 'en']],
])('the language of the header `accept-language: %s`', (header, languages) => {
  const event = { headers: { 'accept-language': header }, payload: null } as never;
  expect(Object.keys(inLanguageOf(event)(TEXTS.saved))).toEqual(languages);
});

// HOST-14: one source, two engines, the same tests.
describe.each(['script', 'component'] as const)('as %s', (kind) => {
  let plugin: Awaited<ReturnType<typeof bootPlugin>>;
  let component: ComponentFolder | undefined;

  beforeAll(async () => {
    // The limit of a component counts instructions of WebAssembly, of which an interpreter inside takes very many.
    if (kind === 'component') component = await componentFolder(HERE, 2500);
    plugin = await boot({ grant: 'all' });
  });
  afterAll(async () => {
    await plugin.close();
    component?.[Symbol.dispose]();
  });

  function boot(options: PluginOptions) {
    return component === undefined
      ? bootPlugin(HERE, options)
      : bootPlugin(component.folder, { ...options, components: component.components });
  }

  function draw(params: unknown, place: unknown = context) {
    return plugin.send(EVENT, { tool_id: 'pencil', params, context: place });
  }

  /** The saved line and the published event, parsed. */
  async function saved(params: unknown, place?: unknown) {
    const { actions, effects } = await draw(params, place);
    const record = effects.find((effect) => effect.op === 'record');
    const message = effects.find((effect) => effect.op === 'publish');
    return {
      actions,
      record,
      line: record && JSON.parse(record.line),
      message: message && JSON.parse(message.event.envelope),
    };
  }

  // UIT-06..08, HOST-34: the stroke is checked, formed and saved through the host function.
  test('a stroke is saved as an annotation of its session, with its bounds', async () => {
    const { record, line } = await saved({ points, color: '#F00', size: 5 });
    expect(record).toMatchObject({ type: 'annotation', chatId: 'чат-1', sessionId: 's.1' });
    expect(line).toMatchObject({
      kind: 'stroke',
      chat_id: 'чат-1',
      session_id: 's.1',
      data: {
        points: [
          [10, 20.13],
          [-5, 40],
          [30, 0],
        ],
        color: '#ff0000',
        size: 5,
        bbox: [-5, 0, 30, 40],
      },
    });
  });

  // UIT-05
  test('the reply names what was saved, and the bus hears of it', async () => {
    const { actions, record, message } = await saved({ points });
    expect(actions).toEqual([
      { type: 'annotation.saved', id: record?.id, chat_id: 'чат-1', session_id: 's.1', kind: 'stroke' },
      { type: 'notify', text: { ru: 'Рисунок сохранён.', en: 'The drawing is saved.' } },
    ]);
    expect(message).toMatchObject({
      event_name: 'annotation.saved',
      version: 1,
      payload: { annotation_id: record?.id, chat_id: 'чат-1', session_id: 's.1', kind: 'stroke' },
    });
  });

  // UIT-03: `color: string?`, `size: int?` – both may be left out or null.
  test.each([
    ['left out', {}, { color: '#000000', size: 3 }],
    ['null', { color: null, size: null }, { color: '#000000', size: 3 }],
    ['a name', { color: ' Red ' }, { color: '#ff0000', size: 3 }],
    ['with transparency', { color: '#AABBCC80' }, { color: '#aabbcc80', size: 3 }],
    ['under their other names', { colour: 'blue', thickness: 200 }, { color: '#0000ff', size: 200 }],
  ])('colour and size %s', async (_name, params, expected) => {
    expect((await saved({ points, ...params })).line.data).toMatchObject(expected);
  });

  test('coordinates may be called so', async () => {
    const { line } = await saved({ coordinates: [[1, 2]] });
    expect(line.data).toMatchObject({ points: [[1, 2]], bbox: [1, 2, 1, 2] });
  });

  describe('what is not right is answered by its path, and nothing is saved', () => {
    test.each([
      ['no points', {}, 'points_missing', 'params.points'],
      ['an empty list', { points: [] }, 'points_missing', 'params.points'],
      ['points that are no list', { points: 'M0 0' }, 'points_missing', 'params.points'],
      [
        'a text as a number',
        {
          points: [
            [0, 0],
            [1, '2'],
          ],
        },
        'point_invalid',
        'params.points[1]',
      ],
      ['three numbers', { points: [[0, 0, 1]] }, 'point_invalid', 'params.points[0]'],
      ['half a point', { points: [{ x: 1 }] }, 'point_invalid', 'params.points[0]'],
      ['a point far outside', { coordinates: [[0, 100_001]] }, 'point_invalid', 'params.coordinates[0]'],
      ['a null for a point', { points: [null] }, 'point_invalid', 'params.points[0]'],
      ['5001 points', { points: Array(5001).fill([0, 0]) }, 'points_too_many', 'params.points'],
      ['a strange colour', { points, color: '#12345' }, 'color_invalid', 'params.color'],
      ['a colour by a name of Object', { points, color: 'constructor' }, 'color_invalid', 'params.color'],
      ['a colour that is no text', { points, colour: 7 }, 'color_invalid', 'params.colour'],
      ['size 0', { points, size: 0 }, 'size_invalid', 'params.size'],
      ['size 201', { points, thickness: 201 }, 'size_invalid', 'params.thickness'],
      ['params that are a list', [], 'payload_invalid', 'params'],
    ])('%s', async (_name, params, code, path) => {
      const { actions, effects } = await draw(params);
      const text = { ru: expect.any(String), en: expect.any(String) };
      expect(actions).toEqual([{ type: 'error', code, path, text }]);
      expect(effects).toEqual([]);
    });

    test.each([
      ['no context', null, 'payload_invalid', 'context'],
      ['no chat', { session_id: 's' }, 'chat_id_invalid', 'context.chat_id'],
      ['a path for a chat', { chat_id: '../x', session_id: 's' }, 'chat_id_invalid', 'context.chat_id'],
      ['no session', { chat_id: 'c' }, 'session_id_invalid', 'context.session_id'],
      ['dots for a session', { chat_id: 'c', session_id: '..' }, 'session_id_invalid', 'context.session_id'],
    ])('%s', async (_name, place, code, path) => {
      const { actions, effects } = await draw({ points }, place);
      expect(actions).toMatchObject([{ type: 'error', code, path }]);
      expect(effects).toEqual([]);
    });

    test('a payload that is no object', async () => {
      const { actions } = await plugin.send(EVENT, null);
      expect(actions).toMatchObject([{ type: 'error', code: 'payload_invalid', path: 'payload' }]);
    });
  });

  test('the language is that of the context', async () => {
    const inRussian = await draw({}, { ...context, locale: 'ru-RU' });
    expect(inRussian.actions).toMatchObject([{ text: { ru: 'В рисунке должна быть хотя бы одна точка.' } }]);
    const inEnglish = await draw({ points, size: 0 }, { ...context, locale: 'en' });
    expect(inEnglish.actions).toEqual([
      {
        type: 'error',
        code: 'size_invalid',
        path: 'params.size',
        text: { en: 'The thickness must be a number between 1 and 200.' },
      },
    ]);
  });

  test('a language that the pencil does not speak gets both', async () => {
    const { actions } = await draw({}, { ...context, locale: 'de' });
    expect(actions).toMatchObject([{ text: { ru: expect.any(String), en: expect.any(String) } }]);
  });

  test('the most points that a setting allows fit into one annotation and one turn', async () => {
    const wide = await boot({
      grant: 'all',
      settings: { max_points: 10_000 },
    });
    try {
      const params = { points: Array(10_000).fill([-99_999.994_321, -99_999.994_321]) };
      const { actions } = await wide.send(EVENT, { params, context });
      expect(actions).toMatchObject([{ type: 'annotation.saved' }, { type: 'notify' }]);
    } finally {
      await wide.close();
    }
  });

  test('an administrator bounds the points by a setting', async () => {
    const strict = await boot({
      grant: 'all',
      settings: { max_points: 2 },
    });
    try {
      const { actions } = await strict.send(EVENT, {
        params: { points },
        context: { ...context, locale: 'en' },
      });
      expect(actions).toMatchObject([
        { code: 'points_too_many', text: { en: 'The drawing has 3 points; 2 are allowed.' } },
      ]);
    } finally {
      await strict.close();
    }
  });

  // HOST-09: without the permission to write nothing is saved.
  test('without the permission to write the turn fails and keeps nothing', async () => {
    const locked = await boot({ grant: 'none' });
    try {
      await expect(locked.send(EVENT, { params: { points }, context })).rejects.toMatchObject({
        code: 'NEIRA_PERMISSION_DENIED',
      });
    } finally {
      await locked.close();
    }
  });

  test.each(recordedTurns(HERE))('$name comes out as it did', async ({ turn }) => {
    expect(await plugin.replay(turn)).toEqual({ kind: 'same' });
  });
});
