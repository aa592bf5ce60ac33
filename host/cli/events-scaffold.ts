import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { appendFile, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { HOST_NAMESPACES } from '../bus/envelope.ts';
import { INDEX_FILE, META_FILE, SCHEMA_FILE, schemaId } from '../bus/event-files.ts';
import { type EventKind, folderOf, fqdnOf, isEventName, REPLY_SUFFIX } from '../bus/event-names.ts';
import { HOST_OWNER } from '../bus/event-registry.ts';
import { NeiraError } from '../errors.ts';
import { renderYaml } from '../schema.ts';

export interface Scaffold {
  /** Of events: the host's with its index, or a plugin's. */
  readonly folder: string;
  readonly name: string;
  readonly kind: EventKind;
  readonly version: number;
  /** `host`, or the id of the plugin. */
  readonly owner: string;
}

/**
 * Writes an event as the lint wants it, a command with its reply, and answers the files. It begins as a draft.
 * @throws NEIRA_CONFLICT when one of the folders is there; NEIRA_EVENT_SCHEMA_INVALID for a namespace of the
 *   host in a plugin. Nothing is written then.
 */
export async function scaffold(wanted: Scaffold): Promise<string[]> {
  const { folder, name, kind, version, owner } = wanted;
  if (owner !== HOST_OWNER && (HOST_NAMESPACES as readonly string[]).includes(name.split('.')[0]!)) {
    const reason = `only the host publishes ${HOST_NAMESPACES.join(', ')}`;
    throw new NeiraError('NEIRA_EVENT_SCHEMA_INVALID', { reason, errors: [{ path: name, message: reason }] });
  }
  const reply = name + REPLY_SUFFIX;
  if (kind === 'command' && !isEventName(reply)) {
    throw new NeiraError('NEIRA_INVALID', {
      what: 'The name',
      reason: `\`${reply}\`, its reply, is too long`,
    });
  }
  const all = kind === 'command' ? [wanted, { ...wanted, name: reply, kind: 'reply' as const }] : [wanted];
  for (const each of all) {
    const home = join(folder, folderOf(each.name, version));
    if (!existsSync(home)) continue;
    throw new NeiraError('NEIRA_CONFLICT', {
      what: 'The event',
      id: fqdnOf(each.name, version),
      by: `the folder ${home}`,
    });
  }
  const files = await Promise.all(all.map(writeEvent));
  if (owner !== HOST_OWNER) return files.flat();
  await appendFile(join(folder, INDEX_FILE), all.map(entryOf).join(''));
  return [...files.flat(), INDEX_FILE];
}

async function writeEvent(wanted: Scaffold): Promise<string[]> {
  const home = folderOf(wanted.name, wanted.version);
  const texts = new Map([
    [`${home}/${SCHEMA_FILE}`, json(schemaOf(wanted))],
    [exampleFile(wanted), json(exampleOf(wanted))],
  ]);
  if (wanted.owner !== HOST_OWNER) texts.set(`${home}/${META_FILE}`, renderYaml(metaOf(wanted)));
  for (const [file, text] of texts) {
    const path = join(wanted.folder, file);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text, { flag: 'wx' });
  }
  return [...texts.keys()];
}

function exampleFile({ name, version }: Scaffold): string {
  return `${folderOf(name, version)}/examples/example.json`;
}

function summaryOf({ name, kind }: Scaffold): string {
  if (kind === 'reply') return `The answer to ${name.slice(0, -REPLY_SUFFIX.length)}.`;
  return kind === 'command' ? `Asks for ${name}.` : `${name} has happened.`;
}

function schemaOf(wanted: Scaffold) {
  const { name, version, kind } = wanted;
  const fields =
    kind === 'reply'
      ? { ok: { type: 'boolean', description: 'Whether it was done.' } }
      : { id: { type: 'string', minLength: 1, maxLength: 128, description: 'What it is about.' } };
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: schemaId(name, `${version}.0.0`),
    'x-version': `${version}.0.0`,
    title: fqdnOf(name, version),
    description: summaryOf(wanted),
    type: 'object',
    additionalProperties: false,
    properties: fields,
    required: Object.keys(fields),
  };
}

function exampleOf({ name, version, kind, owner }: Scaffold) {
  const id = randomUUID();
  return {
    id,
    event_name: name,
    version,
    ts: new Date().toISOString(),
    source: owner === HOST_OWNER ? HOST_OWNER : `plugin:${owner}`,
    correlation_id: id,
    causation_id: kind === 'reply' ? randomUUID() : null,
    tenant: 'default',
    headers: kind === 'command' ? { idempotency_key: id } : {},
    payload: kind === 'reply' ? { ok: true } : { id: 'example' },
  };
}

function metaOf(wanted: Scaffold) {
  const { kind, owner } = wanted;
  return {
    kind,
    summary: summaryOf(wanted),
    producers: kind === 'command' ? ['*'] : [owner],
    consumers: kind === 'command' ? [owner] : ['*'],
    required_headers: [],
    semantics: {
      delivery: 'at-least-once',
      idempotency_key: kind === 'command' ? 'headers.idempotency_key' : null,
    },
    status: 'draft',
  };
}

/** As one more item of `events:`, so that the words in the index stay. */
function entryOf(wanted: Scaffold): string {
  const { name, version } = wanted;
  const { kind, summary, producers, consumers, required_headers, semantics, status } = metaOf(wanted);
  const entry = {
    fqdn: name,
    version,
    kind,
    summary,
    producers,
    consumers,
    schema: `${folderOf(name, version)}/${SCHEMA_FILE}`,
    required_headers,
    semantics,
    status,
    example: exampleFile(wanted),
  };
  return renderYaml([entry]).replace(/^(?=.)/gm, '  ');
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
