/**
 * Events as they lie in a folder: `<namespace>/<name>/v<major>/schema.json`, examples beside it, and what is
 * said about each either in the index `registry.yaml` (the host) or in a `meta.yaml` of its own (a plugin).
 *
 * Files of plugins are hostile: their schemas are audited, and all is bounded.
 */
import { createHash } from 'node:crypto';
import metaSchema from '../../abi/events/meta.schema.json' with { type: 'json' };
import indexSchema from '../../abi/events/registry.schema.json' with { type: 'json' };
import { auditPluginSchema } from '../base/schema-audit.ts';
import { isNeiraError, NeiraError } from '../errors.ts';
import {
  compilePluginSchema,
  compileSchema,
  isRecord,
  PLUGIN_SCHEMA_LIMITS,
  type Problem,
  parseYaml,
  summary,
} from '../schema.ts';
import { HOST_NAMESPACES } from './envelope.ts';
import { broken, type EventFinding, pointerOf } from './event-finding.ts';
import { type EventKind, eventOfFolder, fqdnOf, HOST_OWNER, REPLY_SUFFIX } from './event-names.ts';
import type { EventDefinition } from './event-registry.ts';
import { anonymous, readSchema, type Schema, weightOf } from './event-schema.ts';

export const INDEX_FILE = 'registry.yaml';
export const META_FILE = 'meta.yaml';
export const SCHEMA_FILE = 'schema.json';
export const MAX_PLUGIN_EVENTS = 64;
/** Values in all schemas of a plugin together, references written out: compiling them takes half a second. */
const MAX_SCHEMAS_WEIGHT = 8000;
const PLUGIN_FOLDER = 'events/';
/** A larger one is documentation that no registry has to carry. */
const MAX_EXAMPLE_CHARS = 16 * 1024;
const VERSION = /^(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})$/;

export type EventFiles = ReadonlyMap<string, string>;

export interface EventFolder {
  readonly definition: EventDefinition;
  readonly folder: string;
  /** File and place where it is described. */
  readonly described: { readonly file: string; readonly pointer: string };
  /** Texts of `examples/*.json` by their paths. */
  readonly examples: EventFiles;
}

export interface ReadEvents {
  readonly events: readonly EventFolder[];
  /** Why the others are none. */
  readonly findings: readonly EventFinding[];
}

/** What the index says of an event. */
export interface IndexEntry extends MetaInput {
  readonly fqdn: string;
  readonly version: number;
  readonly schema: string;
  readonly example: string;
}

interface MetaInput {
  readonly kind?: EventKind;
  readonly summary?: string;
  readonly producers?: readonly string[];
  readonly consumers?: readonly string[];
  readonly required_headers?: readonly string[];
  readonly semantics?: { readonly delivery?: string; readonly idempotency_key?: string | null };
  readonly status?: EventDefinition['status'];
}

export function schemaId(name: string, xVersion: string): string {
  return `urn:neira:event:${name}:${xVersion}`;
}

/**
 * The events of a plugin from its files (paths relative to its folder; what is not under `events/` is left
 * alone).
 * @throws NEIRA_EVENT_SCHEMA_INVALID with every problem under `errors: [{path, message, remedy}]`; a path is
 *   a file, with a JSON pointer behind `#` where there is one.
 */
export function readPluginEvents(plugin: string, files: EventFiles): readonly EventDefinition[] {
  const own = [...files].filter(([path]) => path.startsWith(PLUGIN_FOLDER));
  if (own.length === 0) return [];
  // Else its schemas would be trusted as the host's own are.
  if (plugin === HOST_OWNER)
    throw new NeiraError('NEIRA_CONFLICT', { what: 'The id', id: plugin, by: 'the events of the host' });
  const under = new Map(own.map(([path, text]) => [path.slice(PLUGIN_FOLDER.length), text]));
  const { events, findings } = readEventFolders(under, plugin);
  const found = [...findings, ...events.flatMap((each) => notAllowed(each, events))];
  if (events.length > MAX_PLUGIN_EVENTS) {
    found.push(broken('too-many', '', `a plugin brings at most ${MAX_PLUGIN_EVENTS} events`, 'Bring fewer.'));
  }
  if (found.length === 0) return events.map(({ definition }) => definition);
  const errors = found.slice(0, MAX_PLUGIN_EVENTS).map(({ file, pointer, message, remedy }) => ({
    path: `${PLUGIN_FOLDER}${file}${pointer === '' ? '' : `#${pointer}`}`,
    message,
    remedy,
  }));
  throw new NeiraError('NEIRA_EVENT_SCHEMA_INVALID', { plugin, reason: summary(errors), errors });
}

/** What a plugin may not bring, and what nothing can answer. */
export function notAllowed({ definition, folder }: EventFolder, all: readonly EventFolder[]): EventFinding[] {
  const { name, version, kind } = definition;
  const found: EventFinding[] = [];
  if ((HOST_NAMESPACES as readonly string[]).includes(name.split('.')[0]!)) {
    found.push(
      broken(
        'host-namespace',
        `${folder}/${SCHEMA_FILE}`,
        `\`${name}\` is an event that only the host publishes: ${HOST_NAMESPACES.join(', ')}`,
        'Choose another namespace.',
      ),
    );
  }
  const command = name.slice(0, -REPLY_SUFFIX.length);
  if (kind === 'reply' && !has(all, command, version, 'command')) {
    found.push(
      broken(
        'reply-without-command',
        `${folder}/${SCHEMA_FILE}`,
        `no command \`${fqdnOf(command, version)}\` is there that it could answer`,
        'Add the command, with `kind: command`, or call the event otherwise.',
      ),
    );
  }
  return found;
}

export function has(all: readonly EventFolder[], name: string, version: number, kind: EventKind): boolean {
  return all.some(
    ({ definition: each }) => each.name === name && each.version === version && each.kind === kind,
  );
}

/** Every event of a folder, its paths relative to that folder. What is not whole is a finding and left out. */
export function readEventFolders(files: EventFiles, owner: string, isIndexed = false): ReadEvents {
  const findings: EventFinding[] = [];
  const index = isIndexed ? readIndex(files.get(INDEX_FILE) ?? '', findings) : undefined;
  const events: EventFolder[] = [];
  const seen = new Set<string>();
  const budget = { left: owner === HOST_OWNER ? Number.POSITIVE_INFINITY : MAX_SCHEMAS_WEIGHT };
  for (const file of strays(files.keys())) {
    const message = 'lies in no folder of an event: `<namespace>/<name>/v<major>`, in lower case';
    findings.push(broken('schema-misplaced', file, message, 'Move it, or correct the names of the folders.'));
  }
  for (const folder of foldersIn(files.keys())) {
    const named = eventOfFolder(folder);
    if (!named) continue;
    const fqdn = fqdnOf(named.name, named.version);
    seen.add(fqdn);
    const entry = index?.get(fqdn);
    if (index && !entry) {
      findings.push(
        broken(
          'folder-without-entry',
          folder,
          `${INDEX_FILE} has no entry for \`${fqdn}\``,
          `Add it to ${INDEX_FILE}, or remove the folder.`,
        ),
      );
      continue;
    }
    const meta = entry?.value ?? readMeta(files, `${folder}/${META_FILE}`, findings);
    const schema = readEventSchema(files, `${folder}/${SCHEMA_FILE}`, named, findings, budget);
    if (!meta || !schema) continue;
    const examples = examplesOf(files, folder);
    events.push({
      definition: define(named, owner, meta, schema, firstExample(meta, folder, examples)),
      folder,
      described: entry
        ? { file: INDEX_FILE, pointer: pointerOf('events', entry.position) }
        : { file: `${folder}/${META_FILE}`, pointer: '' },
      examples,
    });
  }
  for (const [fqdn, { position }] of index ?? []) {
    if (seen.has(fqdn)) continue;
    const message = `\`${fqdn}\` has no folder`;
    const remedy = 'Add its folder, or remove the entry.';
    findings.push(broken('entry-without-folder', INDEX_FILE, message, remedy, pointerOf('events', position)));
  }
  return { events, findings };
}

type Index = ReadonlyMap<string, { readonly value: IndexEntry; readonly position: number }>;

export function readIndex(text: string, findings: EventFinding[]): Index {
  const index = new Map<string, { value: IndexEntry; position: number }>();
  const remedy = 'Correct it; abi/events/registry.schema.json describes it.';
  const value = readYaml(text, INDEX_FILE, indexSchema, 'index-invalid', remedy, findings);
  if (!value) return index;
  for (const [position, entry] of (value as { events: IndexEntry[] }).events.entries()) {
    const fqdn = fqdnOf(entry.fqdn, entry.version);
    if (index.has(fqdn)) {
      const at = pointerOf('events', position);
      findings.push(broken('entry-twice', INDEX_FILE, `\`${fqdn}\` is there twice`, 'Keep one of them.', at));
    } else index.set(fqdn, { value: entry, position });
  }
  return index;
}

function readMeta(files: EventFiles, file: string, findings: EventFinding[]): MetaInput | undefined {
  const text = files.get(file);
  if (text === undefined) return {};
  const remedy = 'Correct it; abi/events/meta.schema.json describes it.';
  return readYaml(text, file, metaSchema, 'meta-invalid', remedy, findings) as MetaInput | undefined;
}

function readYaml(
  text: string,
  file: string,
  schema: Schema,
  rule: string,
  remedy: string,
  findings: EventFinding[],
): unknown {
  const problems: Problem[] = [];
  let value: unknown;
  try {
    value = parseYaml(text, file);
    problems.push(...compileSchema(schema).problems(value));
  } catch (error) {
    problems.push(...problemsOf(error));
  }
  for (const each of problems) findings.push(broken(rule, file, say(each), remedy));
  return problems.length === 0 ? value : undefined;
}

function readEventSchema(
  files: EventFiles,
  file: string,
  { name, version }: { readonly name: string; readonly version: number },
  findings: EventFinding[],
  budget: { left: number },
): Schema | undefined {
  const text = files.get(file);
  const refuse = (rule: string, message: string, remedy: string, pointer = '') => {
    findings.push(broken(rule, file, message, remedy, pointer));
  };
  if (text === undefined)
    return void refuse('schema-missing', 'is not there', 'Add the schema of the payload.');
  let schema: unknown;
  try {
    schema = JSON.parse(text);
  } catch (error) {
    return void refuse('schema-unreadable', `is not JSON: ${(error as Error).message}`, 'Write it as JSON.');
  }
  if (!isRecord(schema))
    return void refuse('schema-unreadable', 'is no object', 'Write a JSON Schema object.');
  const before = findings.length;
  const { $id, 'x-version': xVersion } = schema;
  if (xVersion !== undefined) {
    const match = typeof xVersion === 'string' ? VERSION.exec(xVersion) : null;
    if (match?.[1] !== String(version)) {
      const remedy = `Write "${version}.0.0" for the first, and raise it with every change.`;
      refuse('x-version-mismatch', `must be a version ${version}.<minor>.<patch>`, remedy, '/x-version');
    }
  }
  const id = schemaId(name, typeof xVersion === 'string' ? xVersion : `${version}.0.0`);
  if ($id !== undefined && $id !== id) refuse('id-mismatch', `must be ${id}`, `Write "${id}".`, '/$id');
  for (const problem of refusedBy(schema, budget)) {
    refuse('schema-refused', say(problem), 'Say it in keywords that the host can bound.');
  }
  return findings.length === before ? schema : undefined;
}

/** Audited as it is and in both readings; compiled as who publishes meets it. */
function refusedBy(schema: Schema, budget: { left: number }): Problem[] {
  const bare = anonymous(schema);
  if (JSON.stringify(bare).length > PLUGIN_SCHEMA_LIMITS.maxBytes)
    return [{ path: '$', message: `is larger than ${PLUGIN_SCHEMA_LIMITS.maxBytes} bytes` }];
  const audited = auditPluginSchema(bare);
  if (audited.length > 0) return audited;
  budget.left -= weightOf(bare);
  if (budget.left < 0)
    return [
      { path: '$', message: `is too much: all schemas together hold more than ${MAX_SCHEMAS_WEIGHT} values` },
    ];
  const opened = auditPluginSchema(readSchema(schema, 'open'));
  if (opened.length > 0) return opened;
  try {
    compilePluginSchema(readSchema(schema, 'closed'));
    return [];
  } catch (error) {
    return problemsOf(error);
  }
}

function define(
  { name, version }: { readonly name: string; readonly version: number },
  owner: string,
  meta: MetaInput,
  schema: Schema,
  example: unknown,
): EventDefinition {
  const { title, description, 'x-version': xVersion } = schema;
  const said = [meta.summary, title, description].find((each) => typeof each === 'string') as
    | string
    | undefined;
  return {
    name,
    version,
    kind: meta.kind ?? (name.endsWith(REPLY_SUFFIX) ? 'reply' : 'event'),
    status: meta.status ?? 'stable',
    summary: (said ?? name).slice(0, 300),
    requiredHeaders: meta.required_headers ?? [],
    semantics: {
      delivery: meta.semantics?.delivery ?? 'at-least-once',
      idempotencyKey: meta.semantics?.idempotency_key ?? null,
    },
    producers: meta.producers ?? [owner],
    consumers: meta.consumers ?? [],
    xVersion: typeof xVersion === 'string' ? xVersion : `${version}.0.0`,
    schema,
    digest: createHash('sha256').update(JSON.stringify(schema)).digest('hex'),
    owner,
    example,
  };
}

/** The example that the index names, else the first. What cannot be read is left to the lint. */
function firstExample(meta: MetaInput, folder: string, examples: EventFiles): unknown {
  const named = (meta as Partial<IndexEntry>).example;
  const text = examples.get(named ?? '') ?? examples.get([...examples.keys()].sort()[0] ?? `${folder}/none`);
  if (text === undefined || text.length > MAX_EXAMPLE_CHARS) return null;
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function examplesOf(files: EventFiles, folder: string): EventFiles {
  const home = `${folder}/examples/`;
  return new Map([...files].filter(([path]) => path.startsWith(home) && path.endsWith('.json')));
}

/** `<namespace>/<name>/v<major>` of every path that has so many parts. */
function foldersIn(paths: Iterable<string>): string[] {
  const folders = [...paths].map((path) => path.split('/')).filter((parts) => parts.length > 3);
  return [...new Set(folders.map((parts) => parts.slice(0, 3).join('/')))].sort();
}

/** Schemas that would be passed over in silence. */
function strays(paths: Iterable<string>): string[] {
  return [...paths].filter((path) => {
    const [folder] = foldersIn([path]);
    const isSchema = path === SCHEMA_FILE || path.endsWith(`/${SCHEMA_FILE}`);
    return (
      isSchema && (folder === undefined || path !== `${folder}/${SCHEMA_FILE}` || !eventOfFolder(folder))
    );
  });
}

function problemsOf(error: unknown): Problem[] {
  if (!isNeiraError(error)) throw error;
  return (error.details['errors'] as Problem[] | undefined) ?? [{ path: '$', message: error.message }];
}

export function say({ path, message }: Problem): string {
  return path === '$' ? message : `${path} ${message}`;
}
