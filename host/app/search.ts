/**
 * Search over annotations and messages: asked of the plugin that answers `search.query@1`, if one runs now, and else
 * answered by the host's own (store/search.ts). The plugin says which records; what they are comes from the store.
 */
import { type EventRegistry, validatePublish } from '../bus/event-registry.ts';
import { NeiraError } from '../errors.ts';
import type { FoundRecords, SearchQuery } from '../http/api.ts';
import type { Logger } from '../log.ts';
import type { EventDraft, RouteTarget } from '../store/bus-records.ts';
import type { FoundRecord } from '../store/search.ts';
import { sealEvent } from './event-gateway.ts';

export interface SearchParts {
  readonly events: Pick<EventRegistry, 'find'>;
  readonly store: {
    search(query: SearchQuery): readonly FoundRecord[];
    recordsAt(seqs: readonly number[]): readonly FoundRecord[];
  };
  /** Who would get this command now. */
  route(event: EventDraft): Promise<RouteTarget | undefined>;
  /** Whether a command of the host may run there at once. */
  mayRun(plugin: string): boolean;
  /** Sends a command and answers its result, JSON. */
  ask(event: EventDraft, timeoutMs: number): Promise<string | undefined>;
  /** Masks secrets. */
  mask<Value>(value: Value): Value;
  readonly log: Pick<Logger, 'warn'>;
}

/** Longer nobody looks at an empty page; then the host searches itself. */
export const SEARCH_DEADLINE_MS = 2000;
const DEFAULT_LIMIT = 100;

/** Payload of `search.query.result@1`. */
interface QueryResult {
  readonly hits: readonly Hit[];
  readonly next: number | null;
}

interface Hit {
  readonly number: number;
  readonly score?: number;
  readonly highlight?: readonly string[];
}

interface Answered {
  readonly plugin: string;
  readonly result: QueryResult;
}

export class Search {
  readonly #parts: SearchParts;

  constructor(parts: SearchParts) {
    this.#parts = parts;
  }

  async find(query: SearchQuery): Promise<FoundRecords> {
    // Without words there is nothing to search for, only to list.
    const answered = query.q?.trim() ? await this.#askPlugin({ ...query, q: query.q }) : undefined;
    return answered ? this.#shown(query, answered) : this.#own(query);
  }

  #own(query: SearchQuery): FoundRecords {
    const { store, mask } = this.#parts;
    const found = store.search(query);
    const full = found.length > 0 && found.length === (query.limit ?? DEFAULT_LIMIT);
    const behind = query.order === 'score' ? (query.after ?? 0) + found.length : found.at(-1)?.seq;
    return {
      results: found.map(({ line }) => mask(JSON.parse(line) as unknown)),
      next: full ? behind! : null,
      answered_by: null,
    };
  }

  /** Whatever keeps a plugin from answering must not keep anybody from searching. */
  async #askPlugin(query: SearchQuery & { readonly q: string }): Promise<Answered | undefined> {
    const event = this.#seal(query);
    const target = await this.#parts.route(event);
    if (!target || !this.#parts.mayRun(target.plugin)) return undefined;
    try {
      return { plugin: target.plugin, result: this.#read(await this.#parts.ask(event, SEARCH_DEADLINE_MS)) };
    } catch (err) {
      this.#parts.log.warn({ err, plugin: target.plugin }, 'the host searched itself');
      return undefined;
    }
  }

  #seal(query: SearchQuery & { readonly q: string }): EventDraft {
    const definition = this.#definition('search.query');
    return sealEvent({ definition, payload: query, headers: {}, source: 'host', caller: 'host' });
  }

  /** A plugin that hears more than this command by one pattern is not held to the schema of the reply. */
  #read(json: string | undefined): QueryResult {
    const result = JSON.parse(json ?? 'null') as QueryResult;
    validatePublish(this.#definition('search.query.result'), result, {});
    return result;
  }

  #definition(name: string) {
    const definition = this.#parts.events.find(name, 1);
    if (definition) return definition;
    throw new NeiraError('NEIRA_EVENT_UNREGISTERED', { event: `${name}@1` });
  }

  /** What was not asked for is not shown, whatever the plugin says. */
  #shown(query: SearchQuery, { plugin, result }: Answered): FoundRecords {
    const { type, chat, session, after = 0, limit = DEFAULT_LIMIT } = query;
    const byTime = query.order !== 'score';
    const hits = new Map(result.hits.map((hit) => [hit.number, hit]));
    const numbers = [...hits.keys()];
    if (byTime) numbers.sort((a, b) => a - b);
    const rows = this.#parts.store
      .recordsAt(numbers)
      .filter(
        (row) =>
          (type === undefined || row.type === type) &&
          (chat === undefined || row.chatId === chat) &&
          (session === undefined || row.sessionId === session) &&
          (!byTime || row.seq > after),
      )
      .slice(0, limit);
    const { mask } = this.#parts;
    return {
      results: rows.map(({ line }) => mask(JSON.parse(line) as unknown)),
      next: result.next,
      answered_by: plugin,
      hits: rows.map(({ seq }) => {
        const { score, highlight = [] } = hits.get(seq)!;
        return { ...(score !== undefined && { score }), highlight: mask(highlight) };
      }),
    };
  }
}
