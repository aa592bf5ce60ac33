/**
 * `neira:host/storage`: the calling plugin's private key-value space, and the shared record of chats.
 * Twin of abi/wit/v1/storage.wit and sandbox/quickjs/guest/storage.ts.
 *
 * The plugin comes from the turn, never from an argument, so a plugin cannot name another plugin's data.
 */
import { type RecordPage, searchText } from '../context/turn-records.ts';
import { NeiraError } from '../errors.ts';
import type { StateEntry, TurnContext } from '../turn-context.ts';
import {
  finiteNumber,
  type HostFunction,
  isPresent,
  jsonText,
  localId,
  optionalCount,
  parseObject,
} from './arguments.ts';

export const MAX_KEY_BYTES = 512;
export const MAX_VALUE_BYTES = 256 * 1024;
export const MAX_LIST_BYTES = 1024 * 1024;
/** Room for the longest key as JSON, where one byte may take six. */
const MAX_LIST_OPTIONS_BYTES = 4096;
const MAX_LIST_LIMIT = 1000;
/** principalPrefix() of store/principals.ts. */
const OF_PRINCIPAL = /^principal:[\w.:-]{1,128}\//;
const DEFAULT_LIST_LIMIT = 100;

export const storageFunctions: Readonly<Record<string, HostFunction>> = {
  get(turn, [key]) {
    turn.require('storage.read');
    const found = turn.get(requireKey(turn, key));
    return found && entryJson(found);
  },

  /**
   * Stages `value` under `key`, replacing what was there.
   * @throws NEIRA_VERSION_MISMATCH when `if-version` is given and the key is at another version.
   */
  set(turn, [key, value, ifVersion]) {
    turn.require('storage.write');
    const name = requireKey(turn, key);
    const text = jsonText(value, 'value', MAX_VALUE_BYTES);
    const expected = optionalCount(ifVersion);
    if (expected !== undefined) {
      const found = turn.get(name);
      const holds = expected === 0 ? found === undefined : found?.version === expected;
      if (!holds)
        throw turn.refusal('NEIRA_VERSION_MISMATCH', { key: name, expected, actual: found?.version ?? 0 });
    }
    turn.set(name, text);
    return undefined;
  },

  delete(turn, [key]) {
    turn.require('storage.write');
    turn.delete(requireKey(turn, key));
    return undefined;
  },

  /** @throws NEIRA_ADD_REFUSED when the turn itself made the value one that nothing can be added to. */
  add(turn, [key, n]) {
    turn.require('storage.write');
    turn.add(requireKey(turn, key), finiteNumber(n, 'n'));
    return undefined;
  },

  list(turn, [prefix, options]) {
    turn.require('storage.read');
    const { limit, ...where } = listOptions(options);
    const page = { limit, maxBytes: MAX_LIST_BYTES };
    const entries = limit === 0 ? [] : turn.list({ prefix: prefix ?? '', ...where }, page);
    return `[${entries.map(entryJson).join()}]`;
  },

  append(turn, [key, value]) {
    turn.require('storage.write');
    turn.append(requireKey(turn, key), jsonText(value, 'value', MAX_VALUE_BYTES));
    return undefined;
  },

  'save-annotation'(turn, [annotation]) {
    turn.require('storage.write');
    const draft = parseObject(annotation, 'annotation', MAX_VALUE_BYTES);
    const kind = draft['kind'];
    if (typeof kind !== 'string' || kind === '')
      throw invalid('annotation', 'kind must be a text that is not empty');
    const data = draft['data'] ?? null;
    return saveRecord(turn, 'annotation', draft, { kind, data });
  },

  'save-message'(turn, [message]) {
    turn.require('storage.write');
    const draft = parseObject(message, 'message', MAX_VALUE_BYTES);
    const { role, text } = draft;
    if (typeof role !== 'string' || role === '')
      throw invalid('message', 'role must be a text that is not empty');
    if (typeof text !== 'string') throw invalid('message', 'text must be a text');
    const data = draft['data'] === undefined ? {} : { data: draft['data'] };
    return saveRecord(turn, 'message', draft, { role, text, ...data });
  },

  records(turn, [options]) {
    turn.require('records.read');
    return turn.records({ ...recordOptions(options), maxBytes: MAX_LIST_BYTES });
  },

  settings(turn) {
    return turn.policy.settings;
  },
};

function saveRecord(
  turn: TurnContext,
  type: 'annotation' | 'message',
  draft: Record<string, unknown>,
  body: Record<string, unknown>,
): string {
  const chatId = localId(draft['chatId'], 'chatId');
  const sessionId = localId(draft['sessionId'], 'sessionId');
  const id = turn.random.id();
  const { acting } = turn.principals;
  const line = JSON.stringify({
    id,
    type,
    chat_id: chatId,
    session_id: sessionId,
    ts: new Date(turn.nowMs).toISOString(),
    plugin: turn.policy.plugin,
    ...(acting && { principal: acting.id }),
    ...body,
  });
  turn.record({ op: 'record', type, id, chatId, sessionId, line, text: searchText({ type, ...body }) });
  return JSON.stringify(id);
}

function entryJson({ key, value, version }: StateEntry): string {
  return `{"key":${JSON.stringify(key)},"value":${value},"version":${version}}`;
}

/** What is not known is refused: a page that ignores half of what was asked for looks right and is not. */
function listOptions(options: string | undefined): { limit: number; after?: string; reverse?: boolean } {
  if (options === undefined || options === '') return { limit: DEFAULT_LIST_LIMIT };
  const given = parseObject(options, 'options', MAX_LIST_OPTIONS_BYTES);
  const { after = null, limit = null, reverse = null, ...others } = given;
  const [other] = Object.keys(others);
  if (other !== undefined) throw invalid('options', `there is no option \`${other}\``);
  if (after !== null && (typeof after !== 'string' || !after.isWellFormed()))
    throw invalid('options', '`after` must be a text');
  if (limit !== null && typeof limit !== 'number') throw invalid('options', '`limit` must be a number');
  if (reverse !== null && typeof reverse !== 'boolean')
    throw invalid('options', '`reverse` must be true or false');
  const wanted = limit === null ? undefined : optionalCount(String(limit));
  return {
    limit: Math.min(wanted ?? DEFAULT_LIST_LIMIT, MAX_LIST_LIMIT),
    // No key is empty, so an empty one is where a listing begins.
    ...(after && { after }),
    ...(reverse && { reverse }),
  };
}

function recordOptions(options: string | undefined): Omit<RecordPage, 'maxBytes'> {
  const given = isPresent(options) ? parseObject(options, 'options', MAX_LIST_OPTIONS_BYTES) : {};
  const { after = null, limit = null, textOnly = null, ...others } = given;
  const [other] = Object.keys(others);
  if (other !== undefined) throw invalid('options', `there is no option \`${other}\``);
  if (textOnly !== null && typeof textOnly !== 'boolean')
    throw invalid('options', '`textOnly` must be true or false');
  for (const [name, value] of Object.entries({ after, limit }))
    if (value !== null && typeof value !== 'number') throw invalid('options', `\`${name}\` must be a number`);
  const count = (value: unknown) => (value === null ? undefined : optionalCount(String(value)));
  return {
    after: count(after) ?? 0,
    limit: Math.min(count(limit) ?? DEFAULT_LIST_LIMIT, MAX_LIST_LIMIT),
    textOnly: textOnly === true,
  };
}

function requireKey({ principals }: TurnContext, key: string | undefined): string {
  if (key === undefined || key === '') throw invalid('key', 'it is empty');
  const bytes = Buffer.byteLength(key);
  // The plugin itself names the keys of its principals with their prefix.
  const ofPrincipal = !principals.acting && OF_PRINCIPAL.exec(key);
  const maxBytes = MAX_KEY_BYTES + (ofPrincipal ? ofPrincipal[0].length : 0);
  if (bytes > maxBytes) throw new NeiraError('NEIRA_VALUE_TOO_LARGE', { what: 'key', bytes, maxBytes });
  return key;
}

function invalid(what: string, reason: string): NeiraError {
  return new NeiraError('NEIRA_VALUE_INVALID', { what, reason });
}
