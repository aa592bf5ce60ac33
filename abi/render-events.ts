/** What is generated of the events: the registry as data, and the types of their payloads. */
import { REPLY_SUFFIX } from '../host/bus/event-names.ts';
import type { EventDefinition } from '../host/bus/event-registry.ts';
import { resolveRef, type Schema } from '../host/bus/event-schema.ts';

/** The registry with its schemas inlined: all that a program needs to know (BUS-34, BUS-40). */
export function renderRegistry(events: readonly EventDefinition[]): string {
  return `${JSON.stringify({ events }, null, 2)}\n`;
}

/** `EventPayloads['ui.notify@1']`, and which reply a command has. */
export function renderEventTypes(events: readonly EventDefinition[]): string {
  const payloads = events.map((each) => {
    const status = each.status === 'deprecated' ? '\n   * @deprecated Use its next version.' : '';
    const words = `  /**\n   * ${oneLine(each.summary)} (${each.kind})${status}\n   */\n`;
    return `${words}  readonly '${fqdn(each)}': ${new Types(each.schema).of(each.schema, '  ')};`;
  });
  const replies = events
    .filter(({ kind }) => kind === 'command')
    .map((each) => `  readonly '${fqdn(each)}': '${each.name}${REPLY_SUFFIX}@${each.version}';`);
  return [
    '// Generated from abi/events and the bundled plugins by `npm run gen`. Do not edit.\n',
    '/** A value that survives `JSON.stringify`. */',
    'export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };\n',
    '/** The payload of every event by name and major version, as who publishes it may write it. */',
    `export interface EventPayloads {\n${payloads.join('\n')}\n}\n`,
    '/** The reply to every command. */',
    `export interface Replies {\n${replies.join('\n')}\n}\n`,
    'export type EventFqdn = keyof EventPayloads;',
    'export type CommandFqdn = keyof Replies;\n',
  ].join('\n');
}

export function fqdn({ name, version }: EventDefinition): string {
  return `${name}@${version}`;
}

/** Types of the keywords that shape a value; bounds and patterns have no type. */
class Types {
  readonly #root: Schema;

  constructor(root: Schema) {
    this.#root = root;
  }

  of(schema: unknown, indent: string): string {
    if (schema === false) return 'never';
    if (typeof schema !== 'object' || schema === null) return 'Json';
    const known = schema as Schema;
    if (known['$ref'] !== undefined) return this.of(resolveRef(this.#root, known['$ref']), indent);
    if (Object.hasOwn(known, 'const')) return JSON.stringify(known['const']);
    if (Array.isArray(known['enum'])) return union(known['enum'].map((each) => JSON.stringify(each)));
    const parts = known['anyOf'] ?? known['oneOf'];
    if (Array.isArray(parts)) return union(parts.map((each) => this.of(each, indent)));
    if (Array.isArray(known['allOf']))
      return known['allOf'].map((each) => `(${this.of(each, indent)})`).join(' & ');
    const types = [known['type'] ?? (known['properties'] ? 'object' : undefined)].flat();
    return union(types.map((type) => this.#ofType(known, type, indent)));
  }

  #ofType(schema: Schema, type: unknown, indent: string): string {
    switch (type) {
      case 'integer':
        return 'number';
      case 'null':
      case 'boolean':
      case 'number':
      case 'string':
        return type;
      case 'array':
        return `readonly (${this.of(schema['items'] ?? true, indent)})[]`;
      case 'object':
        return this.#object(schema, indent);
      default:
        return 'Json';
    }
  }

  #object(schema: Schema, indent: string): string {
    const required = new Set((schema['required'] as readonly string[] | undefined) ?? []);
    const fields = Object.entries((schema['properties'] as Schema | undefined) ?? {}).map(([name, each]) => {
      const { description } = each as { description?: string };
      const words = description === undefined ? '' : `${indent}  /** ${oneLine(description)} */\n`;
      const key = /^[A-Za-z_]\w*$/.test(name) ? name : JSON.stringify(name);
      const mark = required.has(name) ? '' : '?';
      return `${words}${indent}  readonly ${key}${mark}: ${this.of(each, `${indent}  `)};`;
    });
    const others = schema['additionalProperties'];
    if (others !== undefined && others !== false) {
      // Beside named fields an index has to take them all.
      const value = fields.length > 0 ? 'Json | undefined' : this.of(others, `${indent}  `);
      fields.push(`${indent}  readonly [name: string]: ${value};`);
    }
    return fields.length === 0 ? '{ readonly [name: string]: never }' : `{\n${fields.join('\n')}\n${indent}}`;
  }
}

function union(types: readonly string[]): string {
  return [...new Set(types)].join(' | ');
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').replaceAll('*/', '*\\/');
}
