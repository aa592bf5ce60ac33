/** Subjects and times as clients write them, for reading the log of events. */
import { matches, parsePattern } from '../bus/subject.ts';
import { isNeiraError, NeiraError } from '../errors.ts';
import type { EventFilter } from '../store/event-reads.ts';

const WILDCARD = /[*>]/;
/** As the UI writes names of its events, which are no subjects of the bus. */
const UI_NAME = /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*(@[0-9]+)?$/;

/** @throws NEIRA_INVALID for what is neither a name nor a pattern. */
export function filterOf(subject: string | undefined): EventFilter {
  if (subject === undefined) return {};
  if (!WILDCARD.test(subject)) {
    if (!UI_NAME.test(subject))
      throw invalid('subject', 'must be the name of an event, or a pattern as `ui.>`');
    return { subject };
  }
  return { matches: matcherOf(subject) };
}

/** The same for what has no index over names. @throws NEIRA_INVALID */
export function subjectTest(subject: string | undefined): ((name: string) => boolean) | undefined {
  const { subject: exact, matches: test } = filterOf(subject);
  return exact === undefined ? test : (name) => name === exact;
}

function matcherOf(pattern: string): (name: string) => boolean {
  try {
    parsePattern(pattern);
  } catch (error) {
    if (!isNeiraError(error)) throw error;
    throw invalid('subject', `is no pattern: ${String(error.details['reason'])}`);
  }
  return (name) => matches(pattern, name);
}

/** RFC 3339, to milliseconds. @throws NEIRA_INVALID naming the field */
export function momentOf(text: string, path: string): number {
  const ms = Date.parse(text);
  if (!Number.isNaN(ms)) return ms;
  throw invalid(path, 'must be a time (RFC 3339), for example 2026-01-02T03:04:05Z');
}

export function invalid(path: string, message: string, what = 'The query'): NeiraError {
  return new NeiraError('NEIRA_INVALID', {
    what,
    reason: `${path} ${message}`,
    errors: [{ path, message }],
  });
}
