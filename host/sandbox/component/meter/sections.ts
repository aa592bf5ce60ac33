import { Reader } from './reader.ts';
import { malformed, unsupported } from './refusal.ts';
import { Writer } from './writer.ts';

const SECTION = {
  custom: 0,
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  memory: 5,
  global: 6,
  export: 7,
  start: 8,
  element: 9,
  code: 10,
  data: 11,
  dataCount: 12,
  tag: 13,
} as const;

export type SectionName = Exclude<keyof typeof SECTION, 'custom' | 'tag'>;

/** In the order in which they stand in a module. */
const SECTION_ORDER: readonly SectionName[] = [
  'type',
  'import',
  'function',
  'table',
  'memory',
  'global',
  'export',
  'start',
  'element',
  'dataCount',
  'code',
  'data',
];

const HEADER = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
const STRINGREF_SECTION = 14;

/** The sections of a module, each once and in its place; custom ones are left out. */
export function splitSections(bytes: Uint8Array): Map<SectionName, Reader> {
  if (!HEADER.every((byte, index) => bytes[index] === byte)) {
    throw malformed('the file does not begin as a core module of version 1');
  }
  const sections = new Map<SectionName, Reader>();
  const reader = new Reader(bytes, HEADER.length, bytes.length, 'module');
  let last = -1;
  while (reader.position < reader.end) {
    const place = reader.place;
    const id = reader.byte();
    const section = reader.stretch('section');
    if (id === SECTION.custom) {
      section.where = 'custom section';
      section.name();
      continue;
    }
    if (id === SECTION.tag) throw unsupported('exception handling (a tag section)', place);
    if (id === STRINGREF_SECTION) throw unsupported('stringref', place);
    const order = SECTION_ORDER.findIndex((name) => SECTION[name] === id);
    if (order < 0) throw unsupported(`a section of kind ${id}`, place);
    if (order <= last)
      throw malformed(`${place}: the ${SECTION_ORDER[order]} section stands twice or out of order`);
    last = order;
    section.where = `${SECTION_ORDER[order]} section`;
    sections.set(SECTION_ORDER[order]!, section);
  }
  return sections;
}

/** A list section that a module leaves out. */
export function emptySection(name: SectionName): Reader {
  return new Reader(Uint8Array.of(0), 0, 1, `${name} section`);
}

/** Puts a module together. `counts` are written before the sections that came without theirs. */
export function assemble(
  sections: ReadonlyMap<SectionName, Writer>,
  counts: ReadonlyMap<SectionName, number>,
): Buffer {
  const chunks: Uint8Array[] = [Uint8Array.from(HEADER)];
  for (const name of SECTION_ORDER) {
    const content = sections.get(name);
    if (!content) continue;
    const count = new Writer();
    if (counts.has(name)) count.u32(counts.get(name)!);
    const head = new Writer()
      .byte(SECTION[name])
      .u32(count.length + content.length)
      .append(count);
    chunks.push(head.written, content.written);
  }
  return Buffer.concat(chunks);
}
