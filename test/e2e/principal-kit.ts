import { expect } from 'vitest';
import { type Answer, eventFiles, type TestHost } from '../kit/boot-host.ts';

/** A small engine: a plugin that acts for others, one named job for each thing that a test lets it do. */
export class Engine {
  readonly id: string;
  readonly #host: TestHost;

  private constructor(host: TestHost, id: string) {
    this.#host = host;
    this.id = id;
  }

  /**
   * @param jobs members of an object: `async write(params) { … }`; what they return is the answer.
   * @param more of its manifest; by default it may store and delegate, and publish nothing.
   */
  static async register(
    host: TestHost,
    id: string,
    jobs: string,
    more: Record<string, unknown> = {},
    query?: string,
  ): Promise<Engine> {
    const engine = new Engine(host, id);
    const answer = await engine.save(jobs, more, query);
    expect(answer.status, JSON.stringify(answer.body)).toBe(201);
    return engine;
  }

  save(jobs: string, more: Record<string, unknown> = {}, query?: string): Promise<Answer> {
    const manifest = {
      id: this.id,
      permissions: { storage: ['read', 'write'], principals: ['delegate'] },
      ui: { buttons: [{ id: this.id, title: this.id, event: `${this.id}.run` }] },
      ...more,
    };
    return this.#host.script(
      manifest,
      `import { as, register, remove } from 'neira:host/principals';
import { request } from 'neira:host/bus';
import * as bus from 'neira:host/bus';
import * as io from 'neira:host/io';
import * as storage from 'neira:host/storage';
const tried = async (fn) => { try { return { value: (await fn()) ?? null }; } catch (error) { return { code: error.code ?? error.message, details: error.details }; } };
const jobs = {
${jobs}
};
export async function handle(event) {
  const { job = 'heard', ...params } = event.payload?.params ?? {};
  return { actions: [{ answer: (await jobs[job](params, event)) ?? null }] };
}
`,
      query,
    );
  }

  send(job: string, params: object = {}, query = ''): Promise<Answer> {
    const body = { tool_id: this.id, event: `${this.id}.run`, params: { job, ...params }, context: {} };
    return this.#host.call('POST', '/api/neira/ui/events', body, { query });
  }

  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came back
  async run(job: string, params: object = {}): Promise<any> {
    const answer = await this.send(job, params);
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    return answer.body.actions[0].answer;
  }

  get path(): string {
    return `/api/neira/plugins/${this.id}/principals`;
  }

  async principals(): Promise<Record<string, unknown>[]> {
    return (await this.#host.call('GET', this.path)).body.principals;
  }

  /** Without permissions: all that it asks for. */
  async grant(principal: string, permissions?: object): Promise<Answer> {
    const path = `${this.path}/${principal}/grants`;
    const answer = await this.#host.call(
      'PUT',
      permissions ? path : `${path}?grant=all`,
      permissions && { permissions },
    );
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    return answer;
  }
}

/** Registers a principal that asks for these permissions. */
export const REGISTER =
  'join({ id, permissions, title, digest }) { register({ id, title: title ?? "The " + id, permissions, digest }); },';

/** A plugin that answers `echo.ask` with who asked and what. */
export async function echo(host: TestHost, more: Record<string, unknown> = {}, body = ''): Promise<void> {
  const answer = await host.script(
    { id: 'echo', subscribes: [{ event: 'echo.ask@1' }], retry: { max: 0 }, ...more },
    {
      'main.ts': `export async function handle({ source, payload }) { ${body} return { result: { source, payload } }; }`,
      ...eventFiles('echo.ask@1!'),
      ...eventFiles('echo.thing.done@1'),
    },
  );
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
}

export const ASK = { bus: { publish: ['echo.ask'] } };
export const STORE = { storage: ['read', 'write'] };

/** Jobs that register and remove, and that act as one principal in each way. */
export const ACTING = `${REGISTER}
  leave({ id }) { remove(id); },
  write({ id, key, value }) { return tried(() => as(id).storage.set(key, value)); },
  read({ id, key }) { return tried(() => as(id).storage.get(key)); },
  own({ key }) { return storage.get(key); },
  keys() { return storage.list('principal:', { limit: 1000 }).map(({ key }) => key); },
  say({ id }) { as(id).io.log('info', 'of ' + id); io.log('warn', 'of the plugin'); },
  fail({ id }) { as(id).storage.set('k', 1); },`;
