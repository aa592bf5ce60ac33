import { stripVTControlCharacters, styleText } from 'node:util';
import Table from 'cli-table3';
import type { Problem } from '../errors.ts';

/**
 * What the command line prints. Results go to stdout, refusals and remarks to stderr; with `--json` stdout carries
 * exactly one JSON document. Borders and colours are for terminals: through a pipe a table is lines of tabs.
 *
 * Texts of plugins reach the terminal only without control characters, so that no log line can move the cursor.
 */
export interface Output {
  readonly json: boolean;
  /** The one result: `document` for `--json`, else what `human` prints. */
  result(document: unknown, human: () => void): void;
  line(text: string): void;
  /** Beside the result: advice, warnings. Never part of it. */
  remark(text: string): void;
  table(head: readonly string[], rows: readonly (readonly string[])[]): void;
  problem(problem: Problem): void;
}

export type Tone = 'good' | 'bad' | 'warn' | 'faint' | 'strong';

const TONES = { good: 'green', bad: 'red', warn: 'yellow', faint: 'dim', strong: 'bold' } as const;

/** Colour on a terminal; nothing where there is none, or NO_COLOR is set. */
export function tint(tone: Tone, text: string, stream: NodeJS.WriteStream = process.stdout): string {
  return styleText(TONES[tone], text, { stream });
}

export function createOutput(json: boolean): Output {
  const line = (text: string) => void process.stdout.write(`${text}\n`);
  const remark = (text: string) => void process.stderr.write(`${text}\n`);
  return {
    json,
    line,
    remark,
    result(document, human) {
      if (json) line(JSON.stringify(document, null, 2));
      else human();
    },
    table(head, rows) {
      if (!process.stdout.isTTY) {
        for (const row of [head, ...rows]) line(row.map((cell) => stripVTControlCharacters(cell)).join('\t'));
        return;
      }
      const table = new Table({
        head: head.map((name) => tint('strong', name)),
        style: { head: [], border: [] },
      });
      table.push(...rows.map((row) => [...row]));
      line(table.toString());
    },
    problem(problem) {
      if (json) line(JSON.stringify(problem, null, 2));
      remark(`${tint('bad', 'error:', process.stderr)} ${plain(problem.detail)} (${problem.code})`);
      for (const { path, message } of failingPaths(problem)) remark(`  ${plain(path)}: ${plain(message)}`);
      if (typeof problem['file'] === 'string')
        remark(`  at ${plain(problem['file'])}:${String(problem['line'] ?? '?')}`);
      for (const suggestion of suggestions(problem)) remark(`  near: ${plain(suggestion)}`);
      for (const { place, message, remedy } of problemsIn(problem)) {
        if (message !== undefined) remark(`  ${place}${message}`);
        if (remedy !== undefined) remark(`  ${remedy}`);
      }
      if (problem.remedy) remark(`  ${plain(problem.remedy)}`);
    },
  };
}

/** One line of text without anything that a terminal would obey. */
export function plain(text: unknown): string {
  return stripVTControlCharacters(String(text ?? '')).replace(/[\p{Cc}\p{Bidi_Control}]+/gu, ' ');
}

/** A title in the language of the user, `LANG` says which. */
export function titleOf(title: unknown, language = languageOf(process.env)): string {
  if (typeof title !== 'object' || title === null) return plain(title);
  const texts = title as Readonly<Record<string, unknown>>;
  return plain(texts[language] ?? texts['en'] ?? Object.values(texts)[0]);
}

export function languageOf(env: Readonly<Record<string, string | undefined>>): 'ru' | 'en' {
  return (env['LC_ALL'] || env['LC_MESSAGES'] || env['LANG'] || '').startsWith('ru') ? 'ru' : 'en';
}

function failingPaths(problem: Problem): { path: string; message: string }[] {
  const { errors } = problem as { errors?: unknown };
  // One failing path is in the sentence already.
  return Array.isArray(errors) && errors.length > 1 ? errors : [];
}

/** What a plugin found in the files that it was given: each with its place, unless the sentence has it. */
function problemsIn(problem: Problem): { place: string; message?: string; remedy?: string }[] {
  const { problems } = problem as { problems?: unknown };
  if (!Array.isArray(problems)) return [];
  return problems.map((each: Readonly<Record<string, unknown>>) => {
    const place = [each['file'], each['line'], each['column']].filter((part) => part !== undefined).join(':');
    const message = plain(each['message']);
    return {
      place: place === '' ? '' : `${plain(place)} `,
      ...(!problem.detail.includes(message) && { message }),
      ...(typeof each['remedy'] === 'string' &&
        !problem.detail.includes(each['remedy']) && { remedy: plain(each['remedy']) }),
    };
  });
}

function suggestions(problem: Problem): string[] {
  const { suggestions: given } = problem as { suggestions?: unknown };
  if (!Array.isArray(given)) return [];
  return given.map((one) =>
    typeof one === 'string' ? one : String((one as { phrase?: unknown }).phrase ?? ''),
  );
}
