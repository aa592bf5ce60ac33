/** What a case of the transport table works with: hosts that a transport joins, and names that no other case uses. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'vitest';
import { randomOf } from '../e2e/event-kit.ts';
import { type Answer, bootHost, eventFiles, SCRIPT_GATES, type TestHost } from '../kit/boot-host.ts';
import { lossyLink } from '../kit/linked-transport.ts';

export interface TransportCase {
  /** A sentence. */
  readonly claim: string;
  /** It is about one host alone: nothing of it goes from one to another. */
  readonly within?: true;
  run(bus: CaseBus): Promise<void>;
}

/** Hosts that a transport joins. In one host nothing but the store is between a publish and its mailboxes. */
export interface JoinedHosts extends AsyncDisposable {
  /** Where plugins run. */
  readonly host: TestHost;
  /** Where clients publish; absent: at the same. */
  readonly outside?: TestHost;
  /** Stops the hosts and boots them again on the same homes. */
  restart(): Promise<void>;
}

export interface Transport {
  readonly name: string;
  /** It joins hosts, so what is about one host alone need not be asked again. */
  readonly joins?: true;
  open(): Promise<JoinedHosts>;
}

export async function openLocal(): Promise<JoinedHosts> {
  const home = mkdtempSync(path.join(tmpdir(), 'neira-test-'));
  let host = await bootHost({ home, gates: SCRIPT_GATES });
  return {
    get host() {
      return host;
    },
    async restart() {
      await host.close();
      host = await bootHost({ home });
    },
    async [Symbol.asyncDispose]() {
      await host.close();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** Clients publish at one host and plugins run on another, over a line that loses, repeats and delays. */
export async function openLinked(): Promise<JoinedHosts> {
  const link = lossyLink(['>'], randomOf(7), 0.25);
  const open = async (side: 'a' | 'b') => {
    const home = mkdtempSync(path.join(tmpdir(), 'neira-test-'));
    const boot = () => bootHost({ home, gates: SCRIPT_GATES, transport: link.end(side) });
    return { home, boot, host: await boot() };
  };
  const sides = [await open('a'), await open('b')] as const;
  const close = () => Promise.all(sides.map(({ host }) => host.close()));
  return {
    get outside() {
      return sides[0].host;
    },
    get host() {
      return sides[1].host;
    },
    async restart() {
      await close();
      for (const side of sides) side.host = await side.boot();
    },
    async [Symbol.asyncDispose]() {
      await close();
      for (const { home } of sides) rmSync(home, { recursive: true, force: true });
    },
  };
}

const PRELUDE = `import { cancel, delivery, publish, request, subscribe, unsubscribe } from 'neira:host/bus';
import { append, get, list, set } from 'neira:host/storage';
const note = (text: unknown) => console.log('note ' + text);
`;
/** Logs what came, as the cases ask for it. */
export const NOTE = `export function handle(event) { note(event.payload.n); }`;

const POLL = { timeout: 15_000, interval: 20 };

/** The bus as one case sees it. `~` in names and sources stands for the namespace of the case. */
export class CaseBus {
  readonly #hosts: JoinedHosts;
  readonly #space: string;
  #versions = 0;

  constructor(hosts: JoinedHosts, space: string) {
    this.#hosts = hosts;
    this.#space = space;
  }

  get host(): TestHost {
    return this.#hosts.host;
  }

  get outside(): TestHost {
    return this.#hosts.outside ?? this.host;
  }

  restart(): Promise<void> {
    return this.#hosts.restart();
  }

  /** `~.order.placed` → `case3.order.placed`. */
  named(text: string): string {
    return text.replaceAll('~.', `${this.#space}.`);
  }

  /** Registers events that take any payload; one with a `!` behind its version is a command. */
  async events(...fqdns: string[]): Promise<void> {
    for (const host of new Set([this.host, this.outside]))
      await host.events(...fqdns.map((fqdn) => this.named(fqdn)));
  }

  /** The files of an event in a plugin's folder. */
  files(fqdn: string): Record<string, string> {
    return eventFiles(this.named(fqdn));
  }

  /** Registers a script, or a new version of it. Its sources find `note(text)` and the host functions. */
  async plugin(id: string, source: string, manifest: Record<string, unknown> = {}): Promise<void> {
    const asked = {
      id: `~.${id}`,
      version: `1.0.${this.#versions++}`,
      permissions: { storage: ['read', 'write'] },
      retry: { max: 5, base_ms: 10, max_ms: 40 },
      ...manifest,
    };
    const given = JSON.parse(this.named(JSON.stringify(asked))) as Record<string, unknown>;
    const answer = await this.host.script(given, { 'main.ts': this.named(`${PRELUDE}${source}`) });
    expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
  }

  /** Publishes from outside; `n` is what plugins note. */
  async publish(event: string, payload: unknown, more: object = {}, token?: string): Promise<Answer> {
    const [name, version] = this.named(event).split('@');
    const body = { event_name: name, payload, ...(version && { version: Number(version) }), ...more };
    const options = token === undefined ? {} : { token };
    return this.outside.call('POST', '/api/neira/events', body, options);
  }

  /** Publishes all, and waits until the host where plugins run has them. */
  async publishes(event: string, ...payloads: unknown[]): Promise<void> {
    let last = '';
    for (const payload of payloads) {
      const answer = await this.publish(event, payload);
      expect(answer.status, JSON.stringify(answer.body)).toBe(200);
      last = answer.body.event_id;
    }
    if (this.outside === this.host) return;
    const where = `/api/neira/events?limit=1000&subject=${this.named(event).split('@')[0]}`;
    const ids = async () =>
      (await this.host.call('GET', where)).body.events.map(({ id }: { id: string }) => id);
    await expect.poll(ids, POLL).toContain(last);
  }

  /** One call about a plugin: `disable`, `enable`. */
  async change(plugin: string, what: 'enable' | 'disable'): Promise<void> {
    const { status, body } = await this.#plugin('POST', plugin, `/${what}`);
    expect(status, JSON.stringify(body)).toBe(200);
  }

  async remove(plugin: string): Promise<void> {
    expect((await this.#plugin('DELETE', plugin, '?data=drop')).status).toBeLessThan(300);
  }

  async gate(gate: string, stage: 'experimental' | 'locked'): Promise<void> {
    const where = `/api/neira/gates/${this.#space}_${gate}`;
    const { status, body } = await this.host.call('PUT', where, { stage, force: true });
    expect(status, JSON.stringify(body)).toBe(200);
  }

  /** For a manifest: the plugin stands behind a gate of its own, which is locked at first. */
  behind(gate: string): Record<string, unknown> {
    const id = `${this.#space}_${gate}`;
    return { gate: id, gates: [{ id, title: 'Of a case', requires: [] }] };
  }

  /** For a manifest: a button of this name, whose event the plugin runs at once. */
  button(id: string): Record<string, unknown> {
    return { ui: { buttons: [{ id: `${this.#space}_${id}`, title: id, event: `ui.${this.#space}.${id}` }] } };
  }

  press(id: string, params: unknown = {}, query = ''): Promise<Answer> {
    return this.host.event(`${this.#space}_${id}`, params, {}, { query });
  }

  /** What the plugin noted, in order. */
  async notes(plugin: string): Promise<string[]> {
    const { body } = await this.#plugin('GET', plugin, '/logs?limit=1000');
    return (body.lines ?? [])
      .map(({ message }: { message: string }) => /^note (.*)$/.exec(message)?.[1])
      .filter((text: string | undefined) => text !== undefined)
      .map((text: string) => text.replaceAll(`${this.#space}.`, '~.'));
  }

  /** The plugin noted these, in this order, and nothing else. */
  async expectNotes(plugin: string, ...notes: readonly unknown[]): Promise<void> {
    await expect.poll(() => this.notes(plugin), POLL).toEqual(notes.map(String));
  }

  /** The same in any order. */
  async expectSet(plugin: string, ...notes: readonly unknown[]): Promise<void> {
    await expect
      .poll(async () => (await this.notes(plugin)).toSorted(), POLL)
      .toEqual(notes.map(String).toSorted());
  }

  // biome-ignore lint/suspicious/noExplicitAny: cases look into whatever came back
  async deadLetters(plugin: string, count: number): Promise<any[]> {
    const where = this.named(`/api/neira/dead-letters?plugin=~.${plugin}`);
    const letters = async () => (await this.host.call('GET', where)).body.dead_letters;
    await expect.poll(letters, POLL).toHaveLength(count);
    return letters();
  }

  /** Nothing waits and nothing runs. */
  async settled(): Promise<void> {
    const waiting = async () => (await this.host.call('GET', '/api/neira/status')).body.deliveries.waiting;
    await expect.poll(waiting, POLL).toBe(0);
  }

  #plugin(method: string, plugin: string, rest: string): Promise<Answer> {
    return this.host.call(method, this.named(`/api/neira/plugins/~.${plugin}${rest}`));
  }
}
