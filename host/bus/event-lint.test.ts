import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parseYaml, renderYaml } from '../schema.ts';
import { readEventTexts } from './event-disk.ts';
import type { EventFinding } from './event-finding.ts';
import { lintEvents, renderPublished } from './event-lint.ts';
import { testEvent } from './test-events.ts';

const HOST = fileURLToPath(new URL('../../abi/events', import.meta.url));
const host = readEventTexts(HOST);
const SCHEMA = 'ui/notify/v1/schema.json';
const EXAMPLE = 'ui/notify/v1/examples/notify.json';

type Change = (files: Map<string, string>) => void;

function lint(change: Change): EventFinding[] {
  const files = new Map(host);
  change(files);
  return lintEvents(files);
}

const json =
  (file: string, change: (value: Record<string, unknown>) => unknown): Change =>
  (files) => {
    const value = JSON.parse(files.get(file)!) as Record<string, unknown>;
    change(value);
    files.set(file, JSON.stringify(value));
  };

type Entries = Record<string, unknown>[];
const index =
  (change: (entries: Entries) => Entries | undefined): Change =>
  (files) => {
    const { events } = parseYaml(files.get('registry.yaml')!) as { events: Entries };
    files.set('registry.yaml', renderYaml({ events: change(events) ?? events }));
  };
const entry = (fqdn: string, change: (value: Record<string, unknown>) => unknown): Change =>
  index((entries) => void change(entries.find((each) => each['fqdn'] === fqdn)!));

const drop =
  (file: string): Change =>
  (files) =>
    void files.delete(file);

// BUS-41
describe('the lint of the events of the host', () => {
  test('finds nothing', () => {
    expect(lint(() => {})).toEqual([]);
  });

  test.each<[rule: string, where: string, change: Change]>([
    [
      'index-invalid',
      'registry.yaml',
      entry('ui.notify', (value) => Object.assign(value, { colour: 'red' })),
    ],
    ['index-invalid', 'registry.yaml', (files) => void files.set('registry.yaml', 'events: [')],
    ['entry-twice', 'registry.yaml', index((entries) => [...entries, entries[0]!])],
    [
      'entry-without-folder',
      'registry.yaml',
      index((entries) => [...entries, { ...entries[0], fqdn: 'a.made' }]),
    ],
    [
      'folder-without-entry',
      'ui/notify/v1',
      index((entries) => entries.filter(({ fqdn }) => fqdn !== 'ui.notify')),
    ],
    [
      'schema-link',
      'registry.yaml',
      entry('ui.notify', (value) => Object.assign(value, { schema: 'timer/tick/v1/schema.json' })),
    ],
    [
      'example-link',
      'registry.yaml',
      entry('ui.notify', (value) => Object.assign(value, { example: 'gone.json' })),
    ],
    [
      'described-twice',
      'ui/notify/v1/meta.yaml',
      (files) => void files.set('ui/notify/v1/meta.yaml', 'kind: event'),
    ],
    ['schema-missing', SCHEMA, drop(SCHEMA)],
    ['schema-unreadable', SCHEMA, (files) => void files.set(SCHEMA, '{')],
    ['schema-refused', SCHEMA, json(SCHEMA, (value) => Object.assign(value, { type: 'objekt' }))],
    ['id-missing', SCHEMA, json(SCHEMA, (value) => void delete value['$id'])],
    ['id-mismatch', SCHEMA, json(SCHEMA, (value) => Object.assign(value, { 'x-version': '1.1.0' }))],
    ['x-version-missing', SCHEMA, json(SCHEMA, (value) => void delete value['x-version'])],
    ['x-version-mismatch', SCHEMA, json(SCHEMA, (value) => Object.assign(value, { 'x-version': '2.0.0' }))],
    ['dialect-missing', SCHEMA, json(SCHEMA, (value) => void delete value['$schema'])],
    ['object-open', SCHEMA, json(SCHEMA, (value) => void delete value['additionalProperties'])],
    ['example-missing', SCHEMA, drop(EXAMPLE)],
    ['example-invalid', EXAMPLE, json(EXAMPLE, (value) => Object.assign(value, { payload: {} }))],
    ['example-invalid', EXAMPLE, json(EXAMPLE, (value) => void delete value['tenant'])],
    [
      'example-invalid',
      EXAMPLE,
      (files) => void files.set(EXAMPLE, host.get('timer/tick/v1/examples/tick.json')!),
    ],
    [
      'fixture-invalid',
      'fixtures/valid/ui.notify.json',
      json('fixtures/valid/ui.notify.json', (value) => Object.assign(value, { payload: 1 })),
    ],
    [
      'fixture-passes',
      'fixtures/invalid/wrong-type.x.json',
      (files) => void files.set('fixtures/invalid/wrong-type.x.json', host.get(EXAMPLE)!),
    ],
    [
      'fixture-other-reason',
      'fixtures/invalid/wrong-type.x.json',
      (files) =>
        void files.set(
          'fixtures/invalid/wrong-type.x.json',
          files.get('fixtures/invalid/unknown-field.ui.notify.json')!,
        ),
    ],
    [
      'fixture-without-reason',
      'fixtures/invalid/ugly.json',
      (files) => void files.set('fixtures/invalid/ugly.json', '{}'),
    ],
    ['file-stray', 'ui/notify/v1/notes.md', (files) => void files.set('ui/notify/v1/notes.md', '')],
    ['name-reply', SCHEMA, entry('ui.notify', (value) => Object.assign(value, { kind: 'reply' }))],
    ['reply-missing', SCHEMA, entry('ui.notify', (value) => Object.assign(value, { kind: 'command' }))],
    [
      'reply-without-command',
      'scenario/run.result/v1/schema.json',
      entry('scenario.run', (value) => Object.assign(value, { kind: 'event' })),
    ],
    [
      'idempotency-key-unknown',
      'registry.yaml',
      entry('ui.notify', (value) =>
        Object.assign(value, { semantics: { delivery: 'at-least-once', idempotency_key: 'payload.id' } }),
      ),
    ],
    [
      'deprecated',
      'registry.yaml',
      entry('ui.notify', (value) => Object.assign(value, { status: 'deprecated' })),
    ],
    [
      'required-added',
      SCHEMA,
      json(SCHEMA, (value) => Object.assign(value, { required: ['text', 'level'] })),
    ],
    [
      'x-version-not-raised',
      SCHEMA,
      json(SCHEMA, (value) => Object.assign(value, { description: 'Other words.' })),
    ],
    [
      'event-removed',
      '_dist/published.json',
      (files) => {
        for (const file of [...files.keys()].filter((each) => each.startsWith('ui/'))) files.delete(file);
        index((entries) => entries.filter(({ fqdn }) => fqdn !== 'ui.notify'))(files);
      },
    ],
    [
      'published-invalid',
      '_dist/published.json',
      (files) => void files.set('_dist/published.json', '{"events": {"a.b@1": {}}}'),
    ],
  ])('finds %s in %s', (rule, where, change) => {
    expect(lint(change).map((each) => `${each.rule} ${each.file}`)).toContain(`${rule} ${where}`);
  });

  // BUS-47
  test('only warns of what is deprecated', () => {
    const findings = lint(entry('ui.notify', (value) => Object.assign(value, { status: 'deprecated' })));
    expect(findings).toMatchObject([
      { rule: 'deprecated', severity: 'warning', pointer: expect.stringMatching(/^\/events\/\d+$/) },
    ]);
  });

  test('says what to do and where', () => {
    const findings = lint(json(SCHEMA, (value) => Object.assign(value, { required: [] })));
    expect(findings).toContainEqual({
      rule: 'required-removed',
      severity: 'error',
      file: SCHEMA,
      pointer: '/required',
      message: 'consumers count on `text`',
      remedy: expect.stringContaining('ui/notify/v2'),
    });
  });
});

describe('the lint of the events of a plugin', () => {
  const schema = JSON.stringify({ properties: { city: { type: 'string' } }, type: 'object' });

  test('names what the host takes all the same, and what it refuses', () => {
    const rules = lintEvents(
      new Map([
        ['weather/forecast/v1/schema.json', schema],
        ['gate/made/v1/schema.json', schema],
      ]),
    );
    const of = (folder: string) =>
      rules.filter(({ file }) => file.startsWith(folder)).map(({ rule }) => rule);
    const unsaid = ['dialect-missing', 'id-missing', 'x-version-missing', 'object-open'];
    expect(of('weather')).toEqual([...unsaid, 'name-event', 'example-missing']);
    expect(of('gate')).toEqual([...unsaid, 'host-namespace', 'example-missing']);
  });

  test('compares with a snapshot that it is given', () => {
    const before = testEvent(JSON.parse(schema), { name: 'weather.changed' });
    const { events } = JSON.parse(renderPublished({}, [before]));
    const files = new Map([
      ['weather/changed/v1/schema.json', JSON.stringify({ type: 'object', properties: {} })],
    ]);
    expect(lintEvents(files, { published: events }).map(({ rule }) => rule)).toContain('property-removed');
  });
});

test('a snapshot takes in what is released, drafts not, and forgets nothing', () => {
  const [stable, draft] = [
    testEvent({}, { name: 'a.made' }),
    testEvent({}, { name: 'b.made', status: 'draft' }),
  ];
  const first = JSON.parse(renderPublished({}, [stable, draft]));
  expect(Object.keys(first.events)).toEqual(['a.made@1']);
  const second = JSON.parse(renderPublished(first.events, [{ ...draft, status: 'stable' }]));
  expect(Object.keys(second.events)).toEqual(['a.made@1', 'b.made@1']);
});

test('the snapshot of the host is what a release would write now', () => {
  const published = JSON.parse(readFileSync(`${HOST}/_dist/published.json`, 'utf8')).events as object;
  const registered = JSON.parse(readFileSync(`${HOST}/_dist/registry.json`, 'utf8')).events as {
    owner: string;
    status: string;
  }[];
  expect(Object.keys(published)).toHaveLength(
    registered.filter(({ owner, status }) => owner === 'host' && status !== 'draft').length,
  );
});
