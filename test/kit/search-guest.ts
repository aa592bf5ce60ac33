/** The component text.search alone in its engine, with storage and records in memory. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { buildComponent } from '../../host/sandbox/component/build/build-component.ts';
import { ComponentInstance } from '../../host/sandbox/component/component-instance.ts';
import type { HostCalls } from '../../host/sandbox/run-result.ts';
import { compareKeys } from '../../host/store/ranges.ts';
import type { Searched } from './search-reference.ts';

const COMPONENT = path.resolve(import.meta.dirname, '../../plugins/wasm/text_search/plugin.wasm');
const MAX_MEMORY_BYTES = 64 * 1024 * 1024;
/** `cpu_ms: 2000` of its manifest. */
const FUEL = 200_000_000;
const MAX_PAGE = 1000;

export interface GuestHit {
  readonly number: number;
  readonly score: number;
  readonly highlight: readonly string[];
}

export interface GuestAnswer {
  readonly hits: readonly GuestHit[];
  readonly next: number | null;
}

interface ListOptions {
  readonly after?: string;
  readonly limit?: number;
  readonly reverse?: boolean;
}

/** One image for all of a file: booted once. */
export async function bootSearch(): Promise<() => SearchGuest> {
  const built = await buildComponent(readFileSync(COMPONENT), { maxMemoryBytes: MAX_MEMORY_BYTES });
  const nothing: HostCalls = {
    call: () => 'U',
    randomBytes: (count) => new Uint8Array(count),
    nowMs: () => 0,
  };
  const { image } = await ComponentInstance.boot(built, nothing, budget());
  return () => new SearchGuest(image);
}

export class SearchGuest {
  readonly records: Searched[] = [];
  readonly stored = new Map<string, string>();
  readonly logged: string[] = [];
  readonly #image: ComponentInstance['image'];
  #published: string[] = [];

  constructor(image: ComponentInstance['image']) {
    this.#image = image;
  }

  save(text: string, place: Partial<Searched> = {}): void {
    const number = (this.records.at(-1)?.number ?? 0) + 1;
    this.records.push({ number, type: 'message', chatId: 'c', sessionId: 's', ...place, text });
  }

  /** One turn. @throws what it failed with */
  async send(eventName: string, payload: unknown = {}): Promise<unknown> {
    const instance = ComponentInstance.restore(this.#image);
    const host: HostCalls = {
      call: (op, args) => this.#answer(op, args),
      randomBytes: (count) => new Uint8Array(count),
      nowMs: () => 0,
    };
    const result = await instance.run(JSON.stringify({ event_name: eventName, payload }), host, budget());
    if (result.kind !== 'value') throw new Error(JSON.stringify(result));
    return JSON.parse(result.json!);
  }

  async search(payload: Record<string, unknown>): Promise<GuestAnswer> {
    return ((await this.send('search.query', payload)) as { result: GuestAnswer }).result;
  }

  /** One step of taking in what was saved; whether another is to follow. */
  async step(): Promise<boolean> {
    this.#published = [];
    await this.send('record.saved');
    return this.#published.length > 0;
  }

  /** Takes in everything; answers how many turns that took. */
  async catchUp(): Promise<number> {
    for (let turns = 1; ; turns++) if (!(await this.step())) return turns;
  }

  #answer(op: string, args: readonly string[]): string {
    const [first = '', second = ''] = args;
    switch (op) {
      case 'storage.get':
        return this.stored.has(first) ? `V${this.#entry(first)}` : 'U';
      case 'storage.set':
        this.stored.set(first, second);
        return 'U';
      case 'storage.delete':
        this.stored.delete(first);
        return 'U';
      case 'storage.list':
        return `V[${this.#keys(first, optionsOf(second)).map((key) => this.#entry(key))}]`;
      case 'storage.records': {
        const { after = 0, limit = 100 } = optionsOf<{ after?: number; limit?: number }>(first);
        const behind = this.records
          .filter(({ number }) => number > after)
          .slice(0, Math.min(limit, MAX_PAGE));
        return `V${JSON.stringify(behind.map((each) => ({ ...each, id: 'id', plugin: 'chat' })))}`;
      }
      case 'bus.publish':
        this.#published.push(first);
        return 'V"id"';
      case 'io.log':
        this.logged.push(second);
        return 'U';
      default:
        throw new Error(`nobody answers ${op}`);
    }
  }

  #entry(key: string): string {
    return `{"key":${JSON.stringify(key)},"value":${this.stored.get(key)},"version":1}`;
  }

  #keys(prefix: string, { after, limit = 100, reverse = false }: ListOptions): string[] {
    const keys = [...this.stored.keys()].filter((key) => key.startsWith(prefix)).sort(compareKeys);
    if (reverse) keys.reverse();
    const isBehind = (key: string) =>
      after === undefined || (reverse ? compareKeys(key, after) < 0 : compareKeys(key, after) > 0);
    return keys.filter(isBehind).slice(0, limit);
  }
}

function optionsOf<Options extends object = ListOptions>(text: string): Options {
  return JSON.parse(text || '{}') as Options;
}

function budget() {
  return {
    softFuel: FUEL,
    hardFuel: FUEL,
    wallDeadlineMs: performance.now() + 10_000,
    maxOutputBytes: 1024 * 1024,
  };
}

/** The terms of an index with the records that have them, read from its blocks as README.md describes them. */
export function termsIn(stored: ReadonlyMap<string, string>): Map<string, number[]> {
  const terms = new Map<string, number[]>();
  for (const [key, value] of stored) {
    if (!key.startsWith('s/')) continue;
    const block = new Reader(Buffer.from(JSON.parse(value) as string, 'base64'));
    let name = Buffer.alloc(0);
    while (!block.isDone) {
      const shared = name.subarray(0, block.number());
      name = Buffer.concat([shared, block.bytes()]);
      const postings = new Reader(block.bytes());
      const numbers = terms.get(name.toString()) ?? [];
      for (let last = 0; !postings.isDone; numbers.push(last)) {
        last += postings.number();
        postings.number();
        postings.bytes();
      }
      terms.set(name.toString(), numbers);
    }
  }
  return terms;
}

class Reader {
  readonly #from: Buffer;
  #at = 0;

  constructor(from: Buffer) {
    this.#from = from;
  }

  get isDone(): boolean {
    return this.#at >= this.#from.length;
  }

  number(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#from[this.#at++]!;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  }

  bytes(): Buffer {
    const length = this.number();
    this.#at += length;
    return this.#from.subarray(this.#at - length, this.#at);
  }
}
