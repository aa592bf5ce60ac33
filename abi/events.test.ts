import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { eventOfFolder } from '../host/bus/event-names.ts';
import { EventRegistry, generatedEvents, validatePublish } from '../host/bus/event-registry.ts';
import { isRecord, parseYaml } from '../host/schema.ts';
import { renderEventTypes } from './render-events.ts';

const ROOT = path.resolve(import.meta.dirname, '..');
const run = promisify(execFile);
const read = (file: string) => readFileSync(path.join(ROOT, file), 'utf8');
const events = generatedEvents();
const fqdns = new Set(events.map(({ name, version }) => `${name}@${version}`));
const find = (fqdn: string) => events.find(({ name, version }) => `${name}@${version}` === fqdn);

// BUS-31..35
test('every folder of the host is in the generated registry, with its schema', () => {
  const folders = readdirSync(path.join(ROOT, 'abi/events'), { recursive: true })
    .map((file) => String(file).split(path.sep).join('/'))
    .filter((file) => file.endsWith('/schema.json'));
  const registry = EventRegistry.load();
  for (const file of folders) {
    const { name, version } = eventOfFolder(file.slice(0, -'/schema.json'.length))!;
    const schema = JSON.parse(read(`abi/events/${file}`)) as unknown;
    expect(registry.find(name, version)).toMatchObject({
      schema,
      digest: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  }
  expect(registry.list()).toHaveLength(folders.length);
});

test('the events of the bundled plugins are in it too, as theirs', () => {
  expect(find('annotation.saved@1')).toMatchObject({ owner: 'ui.pencil', kind: 'event' });
});

// The journal of the host is what these are made of (host/registry).
test('every action of the journal that is an event of the host is registered', () => {
  const sources = readdirSync(path.join(ROOT, 'host/registry')).filter((name) =>
    /(?<!\.test)\.ts$/.test(name),
  );
  const actions = sources.flatMap((name) => [
    ...read(`host/registry/${name}`).matchAll(/'((?:plugin|gate)\.[a-z]+(?:-[a-z]+)*(?:ed|failed|back))'/g),
  ]);
  const names = new Set(actions.map(([, action]) => action!.replaceAll('-', '_')));
  expect(names.size).toBeGreaterThan(10);
  expect([...names].filter((name) => !fqdns.has(`${name}@1`))).toEqual([]);
});

// BUS-45
describe('the hints for a language model', () => {
  const hints = read('abi/prompts/llm_hints.md');

  test('name every event and no other, each with its version', () => {
    const named = new Set([...hints.matchAll(/\b[a-z_]+(?:\.[a-z_]+)+@\d+/g)].map(([fqdn]) => fqdn));
    expect([...named].sort()).toEqual([...fqdns].sort());
  });

  test('show payloads that pass', () => {
    const shown = [...hints.matchAll(/^### `(.+)`$[\s\S]*?^```json\n(.+)\n```$/gm)];
    expect(shown).toHaveLength(fqdns.size);
    for (const [, fqdn, payload] of shown) validatePublish(find(fqdn!)!, JSON.parse(payload!), {});
    const calls = [...hints.matchAll(/^publish\('(.+)', (\{.*\})\);$/gm)];
    expect(calls.length).toBeGreaterThan(3);
    for (const [, name, payload] of calls) validatePublish(find(`${name}@1`)!, JSON.parse(payload!), {});
  });
});

// BUS-40
test('the commands are OpenAPI 3.1 with a reply each, and every reference leads somewhere', () => {
  const document = parseYaml(read('abi/commands/openapi.yaml')) as {
    openapi: string;
    paths: Record<string, unknown>;
    components: { schemas: Record<string, unknown> };
  };
  expect(document.openapi).toBe('3.1.0');
  const commands = events
    .filter(({ kind }) => kind === 'command')
    .map(({ name, version }) => `/${name}@${version}`);
  expect(Object.keys(document.paths)).toEqual(commands);
  const refs = [...JSON.stringify(document.paths).matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(
    ([, name]) => name!,
  );
  expect(refs).toHaveLength(2 * commands.length);
  expect(refs.filter((name) => !isRecord(document.components.schemas[name]))).toEqual([]);
});

describe('the types of payloads', () => {
  test('accept what the schemas accept and refuse what they refuse', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'neira-events-'));
    try {
      const types = path.join(ROOT, 'abi/types/events.d.ts');
      writeFileSync(path.join(folder, 'sample.ts'), SAMPLE.replace('TYPES', types));
      const compilerOptions = {
        target: 'es2023',
        module: 'esnext',
        moduleResolution: 'bundler',
        allowImportingTsExtensions: true,
        types: [],
        strict: true,
        exactOptionalPropertyTypes: true,
        noEmit: true,
        skipLibCheck: false,
      };
      writeFileSync(
        path.join(folder, 'tsconfig.json'),
        JSON.stringify({ compilerOptions, files: [types, 'sample.ts'] }),
      );
      const tsc = path.join(ROOT, 'node_modules/typescript/bin/tsc');
      const output = await run(process.execPath, [tsc, '-p', folder]).then(
        () => '',
        (error: { stdout: string }) => error.stdout,
      );
      expect(output).toBe('');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('follow references, alternatives and lists', () => {
    const [any] = events;
    const schema = {
      $defs: { place: { type: 'object', properties: { 'x-y': { const: 1 } }, required: ['x-y'] } },
      type: 'object',
      properties: {
        at: { $ref: '#/$defs/place' },
        all: { type: 'array', items: { anyOf: [{ type: 'string' }, { enum: ['a', null] }] } },
        both: { allOf: [{ type: 'object', additionalProperties: { type: 'integer' } }] },
        any: {},
        never: false,
      },
    };
    const text = renderEventTypes([{ ...any!, name: 'a.made', version: 2, schema }]).replace(/\s+/g, ' ');
    expect(text).toContain(
      'readonly \'a.made@2\': { readonly at?: { readonly "x-y": 1; }; readonly all?: readonly (string | "a" | null)[]; ' +
        'readonly both?: ({ readonly [name: string]: number; }); readonly any?: Json; readonly never?: never; };',
    );
  });
});

const SAMPLE = `
import type { CommandFqdn, EventFqdn, EventPayloads, Replies } from 'TYPES';

const name: EventFqdn = 'ui.notify@1';
// @ts-expect-error there is no such event
const other: EventFqdn = 'ui.notify@2';
const command: CommandFqdn = 'scenario.run@1';
const reply: EventPayloads[Replies['scenario.run@1']] = { ok: true, run_id: 'r' };
const notify: EventPayloads['ui.notify@1'] = { text: { en: 'Hello.' }, level: 'info' };
// @ts-expect-error no such level
const loud: EventPayloads['ui.notify@1'] = { text: 'Hello.', level: 'loud' };
// @ts-expect-error the text is missing
const mute: EventPayloads['ui.notify@1'] = {};
// @ts-expect-error no such field
const odd: EventPayloads['timer.tick@1'] = { at: '', interval_s: 60, zone: '' };
// @ts-expect-error always 60
const fast: EventPayloads['timer.tick@1'] = { at: '', interval_s: 1 };
const run: EventPayloads['scenario.run@1'] = { id: 'a', ctx: { any: ['thing'] }, priority: 'HIGH' };
export { command, fast, loud, mute, name, notify, odd, other, reply, run };
`;
