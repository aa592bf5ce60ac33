/** A plugin in a folder of its own, saved the way editors save, and what the host made of it. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'vitest';
import type { Answer, TestHost } from '../kit/boot-host.ts';

export interface SavedPlugin {
  readonly id: string;
  readonly folder: string;
  readonly main: string;
  file(name: string): string;
  /** Writes in place. */
  save(name: string, text: string): void;
  register(query?: string): Promise<Answer>;
  /** The `v` that an event is answered with. */
  serves(): Promise<unknown>;
  detail(): Promise<Answer['body']>;
  /** Resolves when `v` serves. */
  becomes(v: unknown): Promise<void>;
  /** Resolves with the error when `last_error` holds one of that code. */
  fails(code: string): Promise<Answer['body']>;
  mended(): Promise<void>;
  remove(): void;
}

let number = 0;

/** `handle` answers with `v`; `padding` makes the file longer than one write of an editor. */
export function answering(v: unknown, padding = 0): string {
  const filler = Array.from(
    { length: padding },
    (_, line) => `// line ${line} of what makes this file longer\n`,
  );
  const half = filler.length / 2;
  return `${filler.slice(0, half).join('')}export function handle() {
  return { actions: [{ type: 'v', v: ${JSON.stringify(v)} }] };
}
${filler.slice(half).join('')}`;
}

export function manifestOf(id: string, more = '', version = '1.0.0'): string {
  return `id: ${id}
version: ${version}
kind: script
entry: main.ts
ui: {buttons: [{id: ${id}, title: t, event: ${id}.go}]}
${more}`;
}

export function savedPlugin(host: () => TestHost, more = ''): SavedPlugin {
  const id = `saved.p${++number}`;
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'neira-saved-')));
  const file = (name: string) => path.join(folder, name);
  const save = (name: string, text: string) => {
    mkdirSync(path.dirname(file(name)), { recursive: true });
    writeFileSync(file(name), text);
  };
  save('manifest.yaml', manifestOf(id, more));
  save('main.ts', answering(1));
  const detail = async () => (await host().call('GET', `/api/neira/plugins/${id}`)).body;
  const serves = async () => {
    const body = { tool_id: id, event: `${id}.go`, params: {}, context: {} };
    const answer = await host().call('POST', '/api/neira/ui/events', body);
    return answer.body.actions?.[0]?.v ?? answer.body;
  };
  return {
    id,
    folder,
    main: file('main.ts'),
    file,
    save,
    register: (query = '?enable=1&grant=all') =>
      host().call('POST', '/api/neira/plugins', { path: folder }, { query }),
    serves,
    detail,
    becomes: (v) => expect.poll(serves, { timeout: 8000, interval: 5 }).toEqual(v),
    async fails(code) {
      await expect.poll(async () => (await detail()).last_error?.code, { timeout: 15_000 }).toBe(code);
      return (await detail()).last_error;
    },
    mended: () => expect.poll(async () => (await detail()).last_error).toBe(undefined),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Sends the event of the tool `id`, whether it is served or not. */
export function eventOf(host: TestHost, id: string, params: unknown = {}): Promise<Answer> {
  return host.call('POST', '/api/neira/ui/events', { tool_id: id, event: `${id}.go`, params, context: {} });
}

export interface Told {
  readonly action: string;
  readonly actor: string;
  readonly note?: string;
  readonly after: Record<string, unknown>;
}

/** What the journal says about a plugin, oldest first. */
export async function journalOf(host: TestHost, target: string): Promise<Told[]> {
  const entries: (Told & { target: string; seq: number })[] = [];
  for (;;) {
    const after = entries.at(-1)?.seq ?? 0;
    const page = (await host.call('GET', `/api/neira/journal?after=${after}&limit=1000`)).body.entries;
    entries.push(...page);
    if (page.length < 1000) return entries.filter((entry) => entry.target === target);
  }
}

/** Without the rehearsals: whatever ran before a save does otherwise behind it, as these tests mean it to. */
export async function actionsOf(host: TestHost, target: string): Promise<string[]> {
  const actions = (await journalOf(host, target)).map(({ action }) => action);
  return actions.filter((action) => action !== 'plugin.rehearsed');
}

/** How often the host announced a reload of the plugin. */
export async function reloadsOf(host: TestHost, id: string): Promise<number> {
  const { events } = (await host.call('GET', '/api/neira/events?subject=plugin.reloaded&limit=1000')).body;
  return events.filter(({ payload }: { payload: { id: string } }) => payload.id === id).length;
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
