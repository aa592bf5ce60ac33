import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fqdnOf, REPLY_SUFFIX } from '../bus/event-names.ts';
import { byName, type EventDefinition } from '../bus/event-registry.ts';
import type { Schema } from '../bus/event-schema.ts';

/** Writes `README.md` and one page for each event into `folder`, and answers their names (BUS-44). */
export async function buildDocs(events: readonly EventDefinition[], folder: string): Promise<string[]> {
  // A later one of the same name and version stands in for the first.
  const unique = new Map(events.map((each) => [fqdnOf(each.name, each.version), each]));
  const sorted = [...unique.values()].sort(byName);
  const pages = new Map([
    ['README.md', indexOf(sorted)],
    ...sorted.map((each) => [pageOf(each), render(each)] as const),
  ]);
  await mkdir(folder, { recursive: true });
  for (const [name, text] of pages) await writeFile(join(folder, name), text);
  return [...pages.keys()];
}

function pageOf({ name, version }: EventDefinition): string {
  return `${name}.v${version}.md`;
}

function indexOf(events: readonly EventDefinition[]): string {
  const rows = events.map((each) => {
    const name = `[\`${fqdnOf(each.name, each.version)}\`](${pageOf(each)})`;
    return [
      each.status === 'deprecated' ? `~~${name}~~ deprecated` : name,
      each.kind,
      each.status,
      each.owner,
      each.summary,
    ];
  });
  return `${['# Events', '', table(['event', 'kind', 'status', 'owner', 'summary'], rows)].join('\n')}\n`;
}

function render(event: EventDefinition): string {
  const { name, version, kind, status, semantics, requiredHeaders, schema, example } = event;
  const facts: string[][] = [
    ['kind', kind === 'command' ? `command, answered by ${link(name + REPLY_SUFFIX, version)}` : kind],
    ['status', status],
    ['version', `${event.xVersion} (\`${fqdnOf(name, version)}\` names the major one)`],
    ['owner', event.owner],
    ['producers', event.producers.join(', ')],
    ['consumers', event.consumers.join(', ')],
    ['delivery', semantics.delivery],
    ['idempotency key', semantics.idempotencyKey === null ? 'none' : `\`${semantics.idempotencyKey}\``],
    ['required headers', requiredHeaders.map((each) => `\`${each}\``).join(', ') || 'none'],
  ];
  const deprecated = [`> **Deprecated.** Use the next version, or what its summary names.`, ''];
  return `${[
    `# ${fqdnOf(name, version)}`,
    '',
    ...(status === 'deprecated' ? deprecated : []),
    clean(event.summary),
    '',
    table(['', ''], facts),
    '',
    '## Payload',
    '',
    ...fieldsOf(schema),
    ...fenced('Schema', schema),
    ...(example === null ? [] : fenced('Example', example)),
  ].join('\n')}\n`;
}

function link(name: string, version: number): string {
  return `[\`${fqdnOf(name, version)}\`](${name}.v${version}.md)`;
}

function fieldsOf(schema: Schema): string[] {
  const required = new Set((schema['required'] as readonly string[] | undefined) ?? []);
  const fields = Object.entries((schema['properties'] as Schema | undefined) ?? {});
  if (fields.length === 0) return [];
  const rows = fields.map(([name, each]) => {
    const { description } = each as { description?: string };
    return [`\`${name}\``, typeOf(each as Schema), required.has(name) ? 'yes' : '', description ?? ''];
  });
  return [table(['field', 'type', 'required', ''], rows), ''];
}

function typeOf(schema: Schema): string {
  const values = Object.hasOwn(schema, 'const') ? [schema['const']] : schema['enum'];
  if (Array.isArray(values)) return values.map((each) => `\`${JSON.stringify(each)}\``).join(', ');
  if (schema['type'] !== undefined) return [schema['type']].flat().join(' or ');
  return schema['anyOf'] || schema['oneOf'] ? 'one of several' : 'any';
}

function fenced(title: string, value: unknown): string[] {
  return [`## ${title}`, '', '```json', JSON.stringify(value, null, 2), '```', ''];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(clean).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** Texts of plugins stay in their line and their cell. */
function clean(text: string): string {
  return text.replace(/\s+/g, ' ').replaceAll('|', '\\|').replaceAll('<', '&lt;');
}
