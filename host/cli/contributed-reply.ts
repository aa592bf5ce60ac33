/** How the reply to a command of a plugin is printed. */
import type { CommandView } from '../base/command-line.ts';
import type { Reply } from './contributed.ts';
import { type Output, plain } from './output.ts';

export function printReply(
  out: Output,
  { prints, table, follow }: CommandView,
  reply: Reply,
  follows: boolean,
): void {
  const { ok: _ok, ...rest } = reply;
  // What follows are lines of JSON too.
  if (out.json && follows) out.line(JSON.stringify(rest));
  else
    out.result(rest, () => {
      const rows = table && rest[table.of];
      if (follows) out.line(`${follow!.match}: ${shown(rest[follow!.match])}`);
      else if (prints !== undefined && typeof rest[prints] === 'string') printText(out, rest[prints]);
      else if (table && Array.isArray(rows)) printTable(out, table.columns, rows, rest);
      else printFields(out, rest);
    });
}

function printTable(out: Output, columns: readonly string[], rows: readonly Reply[], { next }: Reply): void {
  out.table(
    columns.map((name) => name.replaceAll('_', ' ')),
    rows.map((row) => columns.map((name) => shown(row[name]))),
  );
  if (typeof next === 'string') out.remark(`There are more: --after ${plain(next)}`);
}

function printText(out: Output, text: string): void {
  for (const line of text.replace(/\n$/, '').split('\n'))
    out.line(indentation(line) + plain(line).trimStart());
}

function indentation(line: string): string {
  return /^ */.exec(line)![0];
}

function printFields(out: Output, reply: Reply): void {
  for (const [name, value] of Object.entries(reply))
    if (value !== null && value !== undefined) out.line(`${name.replaceAll('_', ' ')}: ${shown(value)}`);
}

/** A value in a line. */
export function shown(value: unknown): string {
  if (value === null || value === undefined) return '';
  return plain(typeof value === 'object' ? JSON.stringify(value) : value);
}
