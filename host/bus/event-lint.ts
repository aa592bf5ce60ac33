/**
 * The lint of a folder of events: that of the host (`abi/events`, with its index), or that of a plugin
 * (BUS-31…39, BUS-41, BUS-46, BUS-47). It reads texts only, so a folder, an archive and a version in the
 * store are linted alike.
 */
import { compilePluginSchema, isRecord, type Problem } from '../schema.ts';
import { checkEvent, type FindEvent } from './event-check.ts';
import {
  compareEvents,
  type PublishedEvent,
  type PublishedEvents,
  publishedForm,
} from './event-compatibility.ts';
import {
  type EventFiles,
  type EventFolder,
  has,
  INDEX_FILE,
  type IndexEntry,
  META_FILE,
  notAllowed,
  readEventFolders,
  readIndex,
  SCHEMA_FILE,
  say,
  schemaId,
} from './event-files.ts';
import { broken, doubtful, type EventFinding, pointerOf } from './event-finding.ts';
import { eventOfFolder, fqdnOf, isEventName, misnamed, REPLY_SUFFIX } from './event-names.ts';
import { type EventDefinition, HOST_OWNER } from './event-registry.ts';
import { anonymous, isObjectThatSaysNothingOfOthers, type Schema } from './event-schema.ts';

export const PUBLISHED_FILE = '_dist/published.json';
const DIALECT = 'https://json-schema.org/draft/2020-12/schema';
/** In the folder of the host, beside the events. */
const BESIDE =
  /^(?:README\.md|registry\.yaml|[a-z]+\.schema\.json|_dist\/.*|fixtures\/(?:valid|invalid)\/[^/]+\.json)$/;
const IN_FOLDER = /^(?:schema\.json|meta\.yaml|README\.md|examples\/[^/]+\.json)$/;

/** What the first part of the name of an invalid fixture says about it: it fails so, and not only otherwise. */
export const FIXTURE_REASONS: Readonly<Record<string, (problem: Problem) => boolean>> = {
  'bad-envelope': ({ path }) => !/^payload\b/.test(path),
  'missing-field': ({ path, message }) => path.startsWith('payload') && message === 'is missing',
  'missing-header': ({ path, message }) => path.startsWith('headers.') && message === 'is missing',
  'out-of-range': ({ path, message }) =>
    path.startsWith('payload') && /must (?:be [<>]|NOT have)/.test(message),
  'unknown-event': ({ message }) => message.startsWith('names no event'),
  'unknown-field': ({ path, message }) => path.startsWith('payload') && message === 'is not a known field',
  'unknown-value': ({ path, message }) => path.startsWith('payload') && /^must be (?:one of|")/.test(message),
  'wrong-format': ({ path, message }) => path.startsWith('payload') && /must match/.test(message),
  'wrong-type': ({ path, message }) =>
    path.startsWith('payload') &&
    /^must be (?:string|number|integer|boolean|object|array|null)\b/.test(message),
};

export interface LintOptions {
  /** Released schemas to compare with; by default those of `_dist/published.json` in the folder. */
  readonly published?: PublishedEvents;
  /** Events that examples may name besides those of the folder. */
  readonly find?: FindEvent;
}

/** Findings in the order of the files; no error among them means that the folder may be released. */
export function lintEvents(files: EventFiles, options: LintOptions = {}): EventFinding[] {
  const isHosts = files.has(INDEX_FILE);
  const { events, findings: refused } = readEventFolders(files, isHosts ? HOST_OWNER : 'plugin', isHosts);
  const findings = [...refused];
  const find: FindEvent = (name, version) =>
    events.find(({ definition: each }) => each.name === name && each.version === version)?.definition ??
    options.find?.(name, version);

  findings.push(...strayFiles(files, isHosts));
  if (isHosts) findings.push(...indexLinks(files, events));
  for (const each of events) {
    findings.push(...identity(each), ...openObjects(each), ...names(each, events), ...meaning(each));
    findings.push(...notAllowed(each, events).filter(({ rule }) => !isHosts || rule !== 'host-namespace'));
    findings.push(...examples(each, find));
  }
  findings.push(...fixtures(files, find));
  findings.push(...compatibility(events, options.published ?? publishedIn(files, findings)));
  return findings.sort((a, b) => (a.file === b.file ? 0 : a.file < b.file ? -1 : 1));
}

function strayFiles(files: EventFiles, isHosts: boolean): EventFinding[] {
  const isKnown = (path: string) => {
    if (BESIDE.test(path)) return path !== INDEX_FILE || isHosts;
    const parts = path.split('/');
    const folder = eventOfFolder(parts.slice(0, 3).join('/'));
    return folder !== undefined && IN_FOLDER.test(parts.slice(3).join('/'));
  };
  return [...files.keys()]
    .filter((path) => !isKnown(path) && !path.endsWith(`/${SCHEMA_FILE}`))
    .map((path) => doubtful('file-stray', path, 'is no part of an event', 'Remove it, or correct its name.'));
}

function indexLinks(files: EventFiles, events: readonly EventFolder[]): EventFinding[] {
  const index = readIndex(files.get(INDEX_FILE)!, []);
  return events.flatMap(({ definition, folder, described, examples: found }) => {
    const { schema, example } = index.get(fqdnOf(definition.name, definition.version))!.value as IndexEntry;
    const links: EventFinding[] = [];
    const wrong = (rule: string, field: string, message: string, remedy: string) =>
      links.push(broken(rule, INDEX_FILE, message, remedy, described.pointer + pointerOf(field)));
    if (schema !== `${folder}/${SCHEMA_FILE}`)
      wrong('schema-link', 'schema', `\`${schema}\` is not its schema`, `Write ${folder}/${SCHEMA_FILE}.`);
    if (!found.has(example))
      wrong(
        'example-link',
        'example',
        `\`${example}\` is none of its examples`,
        `Name one in ${folder}/examples.`,
      );
    if (files.has(`${folder}/${META_FILE}`))
      links.push(
        broken(
          'described-twice',
          `${folder}/${META_FILE}`,
          'the index describes it already',
          'Remove the file.',
        ),
      );
    return links;
  });
}

/** BUS-36, BUS-39: `$id` and `x-version` agree where they are there; here they must be. */
function identity({ definition, folder }: EventFolder): EventFinding[] {
  const { schema, name, version, xVersion } = definition;
  const file = `${folder}/${SCHEMA_FILE}`;
  const found: EventFinding[] = [];
  if (schema['$schema'] !== DIALECT)
    found.push(broken('dialect-missing', file, `\`$schema\` must be ${DIALECT}`, 'Add it.', '/$schema'));
  if (schema['$id'] === undefined) {
    const id = schemaId(name, xVersion);
    found.push(broken('id-missing', file, '`$id` is missing', `Write "$id": "${id}".`, '/$id'));
  }
  if (schema['x-version'] === undefined) {
    const remedy = `Write "x-version": "${version}.0.0".`;
    found.push(broken('x-version-missing', file, '`x-version` is missing', remedy, '/x-version'));
  }
  return found;
}

/** Closed on publish all the same; written down, readers and other tools know it. */
function openObjects({ definition, folder }: EventFolder): EventFinding[] {
  const found: EventFinding[] = [];
  const walk = (part: unknown, at: string): void => {
    if (Array.isArray(part)) part.forEach((each, index) => void walk(each, at + pointerOf(index)));
    if (!isRecord(part)) return;
    if (isObjectThatSaysNothingOfOthers(part as Schema)) {
      const remedy = 'Write "additionalProperties": false, or true if there may be others.';
      found.push(
        doubtful('object-open', `${folder}/${SCHEMA_FILE}`, 'says nothing of other fields', remedy, at),
      );
    }
    for (const [name, each] of Object.entries(part)) {
      if (!['enum', 'const', 'default', 'examples'].includes(name)) walk(each, at + pointerOf(name));
    }
  };
  walk(definition.schema, '');
  return found;
}

/** X-23; a command has its reply. */
function names({ definition, folder }: EventFolder, all: readonly EventFolder[]): EventFinding[] {
  const { name, version, kind } = definition;
  const file = `${folder}/${SCHEMA_FILE}`;
  const found: EventFinding[] = [];
  const wrong = misnamed(name, kind);
  if (wrong !== undefined && kind === 'reply')
    found.push(broken('name-reply', file, wrong, 'Call it so, or give it another kind.'));
  else if (wrong !== undefined)
    found.push(doubtful(`name-${kind}`, file, wrong, 'Call it otherwise, or give it another kind.'));
  const reply = name + REPLY_SUFFIX;
  if (kind === 'command' && (!isEventName(reply) || !has(all, reply, version, 'reply'))) {
    const remedy = `Add \`${fqdnOf(reply, version)}\`, of kind reply.`;
    found.push(broken('reply-missing', file, 'the command has no reply', remedy));
  }
  return found;
}

function meaning({ definition, folder, described }: EventFolder): EventFinding[] {
  const { name, version, status, semantics, schema } = definition;
  const found: EventFinding[] = [];
  if (status === 'deprecated') {
    const message = `\`${fqdnOf(name, version)}\` is deprecated`;
    found.push(doubtful('deprecated', described.file, message, 'Use its next version.', described.pointer));
  }
  const [, first] = /^payload\.(\w+)/.exec(semantics.idempotencyKey ?? '') ?? [];
  const fields = isRecord(schema['properties']) ? schema['properties'] : {};
  if (first !== undefined && !Object.hasOwn(fields, first)) {
    const message = `\`${semantics.idempotencyKey}\` is no field of the payload`;
    const remedy = `Name a field of ${folder}/${SCHEMA_FILE}.`;
    const at = described.pointer + pointerOf('semantics', 'idempotency_key');
    found.push(broken('idempotency-key-unknown', described.file, message, remedy, at));
  }
  return found;
}

function examples({ definition, folder, examples: found }: EventFolder, find: FindEvent): EventFinding[] {
  if (found.size === 0) {
    const remedy = 'Add a whole envelope to `examples/`.';
    return [doubtful('example-missing', `${folder}/${SCHEMA_FILE}`, 'has no example', remedy)];
  }
  const own = fqdnOf(definition.name, definition.version);
  return [...found].flatMap(([file, text]) => {
    const { event, problems } = checkText(text, find);
    const wrong = problems.map((each) =>
      broken('example-invalid', file, say(each), 'Correct the example, or the schema.'),
    );
    if (wrong.length > 0 || event === own) return wrong;
    return [
      broken('example-invalid', file, `is an example of ${event}`, 'Move it to the folder of that event.'),
    ];
  });
}

function fixtures(files: EventFiles, find: FindEvent): EventFinding[] {
  return [...files]
    .filter(([file]) => file.startsWith('fixtures/') && file.endsWith('.json'))
    .flatMap(([file, text]) => {
      const { problems } = checkText(text, find);
      if (file.startsWith('fixtures/valid/'))
        return problems.map((each) => broken('fixture-invalid', file, say(each), 'Correct the fixture.'));
      const reason = file.slice('fixtures/invalid/'.length).split('.')[0]!;
      const isSo = Object.hasOwn(FIXTURE_REASONS, reason) ? FIXTURE_REASONS[reason] : undefined;
      if (!isSo) {
        const remedy = `Begin its name with one of ${Object.keys(FIXTURE_REASONS).join(', ')}.`;
        return [broken('fixture-without-reason', file, `\`${reason}\` is no reason to fail`, remedy)];
      }
      if (problems.length === 0)
        return [broken('fixture-passes', file, 'is valid', 'Break what its name says.')];
      if (problems.some(isSo)) return [];
      const remedy = 'Break what its name says, or call it after what it breaks.';
      return [broken('fixture-other-reason', file, `fails, but so: ${say(problems[0]!)}`, remedy)];
    });
}

function checkText(text: string, find: FindEvent): { event: string | null; problems: readonly Problem[] } {
  try {
    return checkEvent(JSON.parse(text), find);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { event: null, problems: [{ path: '$', message: `is not JSON: ${error.message}` }] };
  }
}

/** BUS-38: what was released stays, and keeps its promise. */
function compatibility(events: readonly EventFolder[], published: PublishedEvents): EventFinding[] {
  const found: EventFinding[] = [];
  const now = new Map(events.map((each) => [fqdnOf(each.definition.name, each.definition.version), each]));
  for (const [fqdn, then] of Object.entries(published)) {
    const each = now.get(fqdn);
    if (each) found.push(...compareEvents(then, each.definition, `${each.folder}/${SCHEMA_FILE}`));
    else {
      const remedy = 'Put it back, and mark it deprecated if nobody should use it.';
      found.push(
        broken(
          'event-removed',
          PUBLISHED_FILE,
          `\`${fqdn}\` was released`,
          remedy,
          pointerOf('events', fqdn),
        ),
      );
    }
  }
  return found;
}

/** The snapshot of the folder; what is wrong with it is a finding, since it was written by hand then. */
export function publishedIn(files: EventFiles, findings: EventFinding[] = []): PublishedEvents {
  const text = files.get(PUBLISHED_FILE);
  if (text === undefined) return {};
  try {
    const { events } = JSON.parse(text) as { events: Record<string, PublishedEvent> };
    for (const { schema, requiredHeaders, xVersion } of Object.values(events)) {
      compilePluginSchema(anonymous(schema));
      if (!Array.isArray(requiredHeaders) || typeof xVersion !== 'string')
        throw new Error('an event is not whole');
    }
    return events;
  } catch (error) {
    const message = `cannot be read: ${(error as Error).message}`;
    findings.push(broken('published-invalid', PUBLISHED_FILE, message, 'Take back what was edited by hand.'));
    return {};
  }
}

/** The text of the snapshot once `events` are released: drafts are not, and nothing released is forgotten. */
export function renderPublished(before: PublishedEvents, events: readonly EventDefinition[]): string {
  const released = events
    .filter(({ status }) => status !== 'draft')
    .map((each) => [fqdnOf(each.name, each.version), publishedForm(each)] as const);
  const all = { ...before, ...Object.fromEntries(released) };
  const sorted = Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1));
  return `${JSON.stringify({ events: Object.fromEntries(sorted) }, null, 2)}\n`;
}
