/**
 * The arena of the hostile suite: a host in a process of its own with one cell, a good neighbour in that
 * cell whose events never stop, and hostile plugins one after the other, all through the HTTP API.
 *
 * What holds for every case is asserted here: the host answers in time and goes on living, the neighbour
 * loses no event and sees nothing of its neighbours, the reason can be seen, the plugin can be used again.
 */
import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, COMPONENT_GATES, eventFiles, type SpawnedHost, spawnHost } from '../kit/boot-host.ts';
import { componentOf, type ModuleText } from '../kit/component.ts';

export interface HostileCase {
  /** A sentence. */
  readonly name: string;
  /** Top-level code of the plugin, before `handle`. */
  readonly top?: string;
  /** Body of `handle(event)`; async when it awaits. */
  readonly attack?: string;
  /** The whole plugin instead, when it is more than that. */
  readonly files?: Readonly<Record<string, string>>;
  /** A component instead, which attacks where `attack` is in the envelope. */
  readonly component?: ModuleText;
  /** `ok`, or the codes that the answer may have. */
  readonly expect: string | readonly string[];
  /** For `ok`: the actions that come back. */
  readonly actions?: unknown;
  readonly limits?: Readonly<Record<string, number>>;
  readonly params?: Readonly<Record<string, unknown>>;
  /** Further claims about this case. */
  check?(seen: Seen): void | Promise<void>;
}

/** A plugin that does not even boot: its registration is refused. */
export interface HostileBoot {
  readonly name: string;
  readonly source?: string | Readonly<Record<string, string>>;
  readonly component?: ModuleText;
  readonly code: string;
  /** Part of `details`. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** The reason, or a part of it. */
  readonly reason?: RegExp;
}

export interface Seen {
  readonly arena: Arena;
  readonly id: string;
  /** Answer to the attack. */
  readonly answer: Answer;
  attack(params?: Readonly<Record<string, unknown>>): Promise<Answer>;
  plugin(): Promise<Answer>;
  logs(): Promise<readonly { readonly level: string; readonly message: string }[]>;
}

/** What a hostile plugin gets, unless its case says otherwise. Wall time is generous: the machine is shared. */
const LIMITS = { turn_ms: 4000, cpu_ms: 60 };
const SLACK_MS = 5000;
const BOOT_BOUND_MS = 12_000;
/** Cells load some of their packages when they are first needed. */
const MEMORY_MARGIN_MB = 180;
const MEMORY_WAIT_MS = 10_000;
const STOP_MS = 15_000;
const NEIGHBOUR_PAUSE_MS = 3;

const NEIGHBOUR = `
  import { get, set } from 'neira:host/storage';
  let turns = 0;
  export function handle(event) {
    const n = (get('n')?.value ?? 0) + 1;
    set('n', n);
    const odd = [];
    for (const key in {}) odd.push(key);
    for (const key in []) odd.push(key);
    return { actions: [{ n, turns: ++turns, odd, echo: event.payload.params.echo }] };
  }`;

export class Arena {
  readonly host: SpawnedHost;
  #sent = 0;
  #running = true;
  #baseMb: number | undefined;
  #cases = 0;
  readonly #harm: unknown[] = [];
  readonly #traffic: Promise<void>;

  static async open(): Promise<Arena> {
    const host = await spawnHost({ env: { NEIRA_CELLS: '1' } });
    try {
      await host.open(...COMPONENT_GATES);
      await Arena.#settleNeighbour(host);
      return new Arena(host);
    } catch (error) {
      // A host that nobody holds on to would outlive the tests.
      await host.kill();
      throw error;
    }
  }

  static async #settleNeighbour(host: SpawnedHost): Promise<void> {
    const registered = await host.script(
      {
        id: 'good.neighbour',
        permissions: { storage: ['read', 'write'] },
        limits: { turn_ms: 5000 },
        ui: { buttons: [{ id: 'count', title: 'Count', event: 'good.count' }] },
      },
      // The event of the hostile ones belongs to it: nobody else stands beside it.
      { 'main.ts': NEIGHBOUR, ...eventFiles('hostile.noise@1') },
    );
    expect(registered.status).toBe(201);
  }

  private constructor(host: SpawnedHost) {
    this.host = host;
    this.#traffic = this.#sendForEver();
  }

  /** One hostile plugin against the host. */
  async fight(each: HostileCase): Promise<void> {
    const id = `hostile.case${++this.#cases}`;
    const files = each.component
      ? await componentOf(each.component)
      : (each.files ?? { 'main.ts': sourceOf(each) });
    const limits = { ...LIMITS, ...each.limits };
    const registered = await this.register(id, files, limits);
    expect(registered, JSON.stringify(registered.body)).toMatchObject({ status: 201 });

    const neighbour = this.#sent;
    const started = performance.now();
    const answer = await this.#send(id, { attack: true, ...each.params });
    const tookMs = performance.now() - started;
    expect(tookMs, 'the host answers within its deadline').toBeLessThan(limits.turn_ms + SLACK_MS);
    const code = answer.status === 200 ? 'ok' : answer.body.code;
    expect([each.expect].flat(), JSON.stringify(answer.body).slice(0, 2000)).toContain(code);
    if (each.actions !== undefined) expect(answer.body.actions).toEqual(each.actions);
    if (code !== 'ok') await this.#seesReason(id, code);
    await each.check?.({
      arena: this,
      id,
      answer,
      attack: (params) => this.#send(id, { attack: true, ...params }),
      plugin: () => this.host.call('GET', `/api/neira/plugins/${id}`),
      logs: async () => (await this.host.call('GET', `/api/neira/plugins/${id}/logs`)).body.lines,
    });

    expect(await this.#send(id, {}), 'the plugin is usable again').toMatchObject({
      status: 200,
      body: { ran: true, actions: [{ calm: true }] },
    });
    await this.#neighbourIsWell(neighbour);
    await this.host.call('DELETE', `/api/neira/plugins/${id}`, undefined, { query: '?data=drop' });
  }

  /** A plugin whose code must not come to serve. */
  async refuse(each: HostileBoot): Promise<void> {
    const id = `hostile.case${++this.#cases}`;
    const neighbour = this.#sent;
    const started = performance.now();
    const source = typeof each.source === 'string' ? { 'main.ts': each.source } : (each.source ?? {});
    const files = each.component ? await componentOf(each.component) : source;
    const answer = await this.register(id, files, LIMITS);
    expect(performance.now() - started).toBeLessThan(BOOT_BOUND_MS);
    const shown = JSON.stringify(answer.body).slice(0, 2000);
    expect(answer.body.code, shown).toBe(each.code);
    if (each.details) expect(answer.body, shown).toMatchObject(onThisMachine(each.details));
    if (each.reason) expect(answer.body.reason).toMatch(each.reason);
    expect((await this.host.call('GET', `/api/neira/plugins/${id}`)).status).toBe(404);
    await this.#neighbourIsWell(neighbour);
  }

  register(
    id: string,
    files: Readonly<Record<string, string>> | Uint8Array,
    limits: object,
  ): Promise<Answer> {
    const manifest = {
      id,
      permissions: {
        storage: ['read', 'write'],
        io: { ports: ['console'] },
        bus: { publish: ['hostile.noise'] },
      },
      publishes: ['hostile.noise@1'],
      limits,
      ui: { buttons: [{ id: toolOf(id), title: 'Hostile', event: `${id}.event` }] },
    };
    return files instanceof Uint8Array
      ? this.host.component(manifest, files)
      : this.host.script(manifest, { ...files });
  }

  send(id: string, params: unknown, context: unknown = {}): Promise<Answer> {
    const body = { tool_id: toolOf(id), event: `${id}.event`, params, context };
    return this.host.call('POST', '/api/neira/ui/events', body);
  }

  /** Asserts that everything is as it was: the neighbour, the process, its memory. */
  async close(marginMb = MEMORY_MARGIN_MB): Promise<void> {
    this.#running = false;
    await this.#traffic;
    try {
      expect(this.#harm, 'harm to the neighbour').toEqual([]);
      expect(this.host.process.exitCode, this.host.log()).toBeNull();
      const base = this.#baseMb;
      if (base === undefined) return;
      const until = performance.now() + MEMORY_WAIT_MS;
      // A little work, so that the threads get round to collecting what the cases left.
      while (this.residentMb() >= base + marginMb && performance.now() < until) await this.#count();
      expect(this.residentMb(), `MB resident, ${base} at the beginning`).toBeLessThan(base + marginMb);
    } finally {
      await Promise.race([this.host.close(), pause(STOP_MS).then(() => this.host.kill())]);
    }
  }

  /** Resident memory of the host's process; 0 where the system does not tell. */
  residentMb(): number {
    const file = `/proc/${this.host.process.pid}/status`;
    if (!existsSync(file)) return 0;
    return Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(file, 'utf8'))?.[1] ?? 0) / 1024);
  }

  #send(id: string, params: Readonly<Record<string, unknown>>): Promise<Answer> {
    return this.send(id, params);
  }

  /** The code and a message are where an administrator looks. */
  async #seesReason(id: string, code: string): Promise<void> {
    const { body } = await this.host.call('GET', `/api/neira/plugins/${id}`);
    const newest = body.recent_errors[0];
    expect(newest, 'the reason is visible').toMatchObject({ code });
    expect(newest.message).toMatch(/\S/);
    expect(body.state).toBe('enabled');
  }

  async #neighbourIsWell(since: number): Promise<void> {
    while (this.#sent <= since && this.#harm.length === 0) await pause(NEIGHBOUR_PAUSE_MS);
    expect(this.#harm, 'harm to the neighbour').toEqual([]);
  }

  async #sendForEver(): Promise<void> {
    while (this.#running && this.#harm.length === 0) {
      try {
        await this.#count();
      } catch (error) {
        this.#harm.push(error);
      }
      this.#baseMb ??= this.#sent >= 20 ? this.residentMb() : undefined;
      await pause(NEIGHBOUR_PAUSE_MS);
    }
  }

  /** One event of the neighbour: answered, in order, from its own untouched image. */
  async #count(): Promise<void> {
    const n = this.#sent + 1;
    const body = { tool_id: 'count', event: 'good.count', params: { echo: `ü${n}` }, context: {} };
    const answer = await this.host.call('POST', '/api/neira/ui/events', body);
    const right = { n, turns: 1, odd: [], echo: `ü${n}` };
    if (answer.status !== 200 || JSON.stringify(answer.body.actions) !== JSON.stringify([right])) {
      throw new Error(`event ${n} of the neighbour: ${answer.status} ${JSON.stringify(answer.body)}`);
    }
    this.#sent = n;
  }
}

/** Runs a table of cases in an arena of its own. */
export function hostileSuite(
  title: string,
  cases: readonly HostileCase[],
  boots: readonly HostileBoot[] = [],
  marginMb?: number,
): void {
  describe(title, () => {
    let arena: Arena;
    beforeAll(async () => {
      arena = await Arena.open();
    });
    for (const each of cases) test(each.name, () => arena.fight(each));
    for (const each of boots) test(each.name, () => arena.refuse(each));
    // The claims about all cases together are made when the arena closes.
    afterAll(() => arena?.close(marginMb), 60_000);
  });
}

function sourceOf({ top = '', attack = '' }: HostileCase): string {
  const keyword = /\bawait\b/.test(attack) ? 'async function' : 'function';
  return `${top}
export ${keyword} handle(event: any) {
  if (!event.payload.params.attack) return { actions: [{ calm: true }] };
  ${attack}
}`;
}

function toolOf(id: string): string {
  return id.replaceAll('.', '_');
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** What burns fuel without end is ended by the clock where a busy machine lets it burn slowly. */
function onThisMachine(details: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  if (details['cause'] !== 'NEIRA_CPU_EXCEEDED') return details;
  return { ...details, cause: expect.stringMatching(/^NEIRA_(?:CPU_EXCEEDED|TURN_TIMEOUT)$/) };
}
