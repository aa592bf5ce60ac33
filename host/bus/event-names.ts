/**
 * Names of events and the folders they live in (BUS-14, BUS-15, X-23).
 *
 * The first segment of a name is its namespace, the rest, joined by dots, is its name within it:
 * `nlp.intent.detected` version 1 lives in `nlp/intent.detected/v1`.
 */
import { EVENT_NAME } from './envelope.ts';

export type EventKind = 'event' | 'command' | 'reply';

/** Who owns the events that no plugin brought. */
export const HOST_OWNER = 'host';
export const MAX_EVENT_NAME_CHARS = 128;
/** As the manifest's schema allows them: `@1` to `@9999`. */
export const MAX_EVENT_VERSION = 9999;
export const REPLY_SUFFIX = '.result';

const FOLDER = /^([a-z][a-z0-9_]*)\/([a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*)\/v([1-9]\d{0,3})$/;

/** Events that the rule does not fit, because their names were given before it. */
const AS_LISTED = new Set(['action.input', 'chat.input', 'timer.tick', 'ui.notify', 'voice.input']);

/** Past forms that do not end in `-ed`. Others are welcome here. */
const IRREGULAR_PAST = new Set(
  (
    'begun bought broken brought built caught chosen cut done drawn fallen forgotten found frozen given gone got ' +
    'grown heard held hidden hit kept known laid left lent let lost made met moved paid put read rewritten run said ' +
    'seen sent set shown shut sold spent split spoken stolen stood stuck taken taught thrown told torn understood ' +
    'undone withdrawn woken won worn written'
  ).split(' '),
);
/** Of these the past looks like the verb itself, so a command may be called so too. */
const PAST_IS_VERB = new Set('cut hit let put read run set shut split'.split(' '));
/** Verbs that merely end in `-ed`. */
const VERBS_IN_ED = new Set(
  'bleed breed embed exceed feed need proceed seed shed shred speed succeed'.split(' '),
);

export function fqdnOf(name: string, version: number): string {
  return `${name}@${version}`;
}

export function isEventName(name: string): boolean {
  return name.length <= MAX_EVENT_NAME_CHARS && EVENT_NAME.test(name);
}

/** `nlp.intent.detected`, 1 → `nlp/intent.detected/v1` */
export function folderOf(name: string, version: number): string {
  const [namespace, ...rest] = name.split('.');
  return `${namespace}/${rest.join('.')}/v${version}`;
}

/** The event that a folder belongs to; undefined when it is no folder of an event. */
export function eventOfFolder(
  folder: string,
): { readonly name: string; readonly version: number } | undefined {
  const match = FOLDER.exec(folder);
  if (!match) return undefined;
  const name = `${match[1]}.${match[2]}`;
  return isEventName(name) ? { name, version: Number(match[3]) } : undefined;
}

/** What does not fit the rule for names of its kind, as a sentence; undefined when it fits. */
export function misnamed(name: string, kind: EventKind): string | undefined {
  const segments = name.split('.');
  const last = segments.at(-1)!;
  if (kind === 'reply') {
    return name.endsWith(REPLY_SUFFIX) && segments.length > 2
      ? undefined
      : 'a reply is called as its command with `.result` behind it';
  }
  if (AS_LISTED.has(name)) return undefined;
  if (segments.length > 3) return `${an(kind)} has two or three parts: ${shapeOf(kind)}`;
  if (kind === 'command') {
    return isPast(last) && !PAST_IS_VERB.has(last)
      ? `a command ends in a verb (${shapeOf(kind)}); \`${last}\` says that it has happened`
      : undefined;
  }
  // `rolled_back` and `reload_failed` hold their past form in either place.
  return last.split('_').some(isPast)
    ? undefined
    : `an event ends in a past form (${shapeOf(kind)}); \`${last}\` is none`;
}

function isPast(word: string): boolean {
  return IRREGULAR_PAST.has(word) || (word.length > 3 && word.endsWith('ed') && !VERBS_IN_ED.has(word));
}

function shapeOf(kind: EventKind): string {
  return kind === 'command' ? '`ns[.ns].verb`' : '`ns[.ns].past`';
}

function an(kind: EventKind): string {
  return kind === 'event' ? 'an event' : `a ${kind}`;
}
