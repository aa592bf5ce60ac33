/**
 * Files of rules are saved as their authors wrote them and compiled at once; what other files take from them (`<rules>`) is
 * compiled into those again. All of it is one turn: what cannot be read or does not fit changes nothing.
 */
import { delete as drop, get, list, set } from 'neira:host/storage';
import type { Problem } from '../grammar/problem.ts';
import { type RuleFile, readRuleFile, readRules, type WrittenList } from '../grammar/rule-file.ts';
import { readTemplate, type Template } from '../grammar/template.ts';
import { type CompiledList, compileList, compileUnit, type Unit } from '../grammar/unit.ts';
import { keys, UNITS } from './keys.ts';
import { Refusal } from './refusal.ts';

export interface FileRow {
  readonly file: string;
  readonly language: string;
  readonly text: string;
  readonly saved_at: string;
  readonly saved_by: string;
  readonly lists: readonly string[];
  readonly expansions: readonly string[];
  readonly intents: readonly string[];
  readonly sentences: number;
}

/** Texts of `<rules>` and the file that each is from. */
type Expansions = Readonly<Record<string, { readonly text: string; readonly file: string }>>;

const NAME = /^(?!\.)(?!.*\/\.)[\p{L}\p{N}_.:/-]{1,200}$/u;

export function saveFiles(
  files: Readonly<Record<string, string>>,
  by: string,
  nowMs: number,
): readonly FileRow[] {
  const written = Object.entries(files).map(([file, text]) => ({ text, rules: readOne(file, text) }));
  return saveRead(written, by, nowMs);
}

/** What was made by somebody else than an author: it has no lines. */
export function saveValue(file: string, value: object, by: string, nowMs: number): readonly FileRow[] {
  const read = readRules({ file, value, placeOf: () => ({ line: 1, column: 1 }) });
  if (!read.ok) throw invalid(read.problems);
  return saveRead([{ text: JSON.stringify(value), rules: read.rules }], by, nowMs);
}

/** Everything is compiled before anything is written: a refusal is an answer, and keeps what was staged before it. */
function saveRead(written: readonly Written[], by: string, nowMs: number): readonly FileRow[] {
  const lent = new Lent(written.map(({ rules }) => rules));
  const own = written.map((each) => compiled(each, lent, { by, nowMs }));
  const dependents = lent
    .users(new Set(written.map(({ rules }) => rules.file)))
    .map(({ file }) => requireFile(file))
    .map(({ file, text, saved_by, saved_at }) =>
      compiled({ text, rules: readOne(file, text) }, lent, { by: saved_by, nowMs: Date.parse(saved_at) }),
    );
  requireOwnLists([...own, ...dependents]);
  lent.keep();
  // A list may go from one file to another.
  for (const each of own) dropLists(each);
  for (const each of [...own, ...dependents]) keep(each);
  return own.map(({ row }) => row);
}

/** @throws {Refusal} INTENT_FILE_UNKNOWN, INTENT_FILE_USED */
export function removeFile(file: string): void {
  const row = requireFile(file);
  const users = unitsThatUse(new Set(row.expansions), row.language, new Set([file]));
  if (users.length > 0)
    throw new Refusal(
      'INTENT_FILE_USED',
      409,
      `${users.map((each) => `\`${each.file}\``).join(', ')} use rules of \`${file}\``,
    );
  if (row.expansions.length > 0)
    set(keys.expansions(row.language), without(expansionsOf(row.language), file) as never);
  for (const name of row.lists) drop(keys.list(row.language, name));
  drop(keys.unit(file));
  drop(keys.file(file));
}

export function requireFile(file: string): FileRow {
  const row = fileOf(file);
  if (row) return row;
  throw new Refusal('INTENT_FILE_UNKNOWN', 404, `there is no file of rules \`${file}\``);
}

export function fileOf(file: string): FileRow | undefined {
  return get<FileRow>(keys.file(file) as never)?.value as FileRow | undefined;
}

function readOne(file: string, text: string): RuleFile {
  if (!NAME.test(file))
    throw new Refusal(
      'INTENT_RULES_INVALID',
      422,
      `\`${file}\` is no name of a file: letters, digits, \`_ - . : /\`, 200 at most`,
    );
  const read = readRuleFile(file, text);
  if (!read.ok) throw invalid(read.problems);
  return read.rules;
}

export function invalid(problems: readonly Problem[]): Refusal {
  const { file, line, column, message, remedy } = problems[0]!;
  const said = `${file}:${line}:${column} ${message}${remedy === undefined ? '' : ` – ${remedy}`}`;
  return new Refusal('INTENT_RULES_INVALID', 422, said, { problems });
}

interface Written {
  readonly text: string;
  readonly rules: RuleFile;
}

interface Compiled {
  readonly row: FileRow;
  readonly unit: Unit;
  readonly lists: ReadonlyMap<string, CompiledList>;
  readonly places: RuleFile['lists'];
}

function compiled(
  { text, rules }: Written,
  lent: Lent,
  { by, nowMs }: { by: string; nowMs: number },
): Compiled {
  const { file, language } = rules;
  const expansions = lent.templates(language);
  const made = compileUnit(rules, { expansions });
  if ('problems' in made) throw invalid(made.problems);
  const unit = made.made;
  const row: FileRow = {
    file,
    language,
    text,
    saved_at: new Date(nowMs).toISOString(),
    saved_by: by,
    lists: Object.keys(rules.lists),
    expansions: Object.keys(rules.expansions),
    intents: [...new Set(unit.rules.map(({ intent }) => intent))],
    sentences: unit.sentences.length,
  };
  const lists = Object.entries(rules.lists).map(
    ([name, list]) => [name, compiledList(rules, list, expansions)] as const,
  );
  return { row, unit, lists: new Map(lists), places: rules.lists };
}

function compiledList(
  { file }: RuleFile,
  list: WrittenList,
  expansions: ReadonlyMap<string, Template>,
): CompiledList {
  const made = compileList(file, list, expansions);
  if ('problems' in made) throw invalid(made.problems);
  return made.made;
}

/** A list is of one file: no other takes it over unseen. */
function requireOwnLists(files: readonly Compiled[]): void {
  const owners = new Map<string, string>();
  for (const { row, places } of files)
    for (const [name, { line }] of Object.entries(places)) {
      const key = keys.list(row.language, name);
      const stored = (get<CompiledList>(key as never)?.value as CompiledList | undefined)?.file;
      const isLeft = files.some((each) => each.row.file === stored && !each.row.lists.includes(name));
      const owner = owners.get(key) ?? (isLeft ? undefined : stored);
      if (owner !== undefined && owner !== row.file)
        throw invalid([
          {
            file: row.file,
            line,
            column: 1,
            message: `\`${owner}\` has a list {${name}} already`,
            remedy: 'call one of them otherwise, or put their values together',
          },
        ]);
      owners.set(key, row.file);
    }
}

function dropLists({ row, lists }: Compiled): void {
  const before = fileOf(row.file);
  for (const name of before?.lists ?? [])
    if (before!.language !== row.language || !lists.has(name)) drop(keys.list(before!.language, name));
}

function keep({ row, unit, lists }: Compiled): void {
  for (const [name, list] of lists) set(keys.list(row.language, name), list as never);
  set(keys.unit(row.file), unit as never);
  set(keys.file(row.file), row as never);
}

// --- rules that files lend each other

function expansionsOf(language: string): Expansions {
  return (get<Expansions>(keys.expansions(language) as never)?.value ?? {}) as Expansions;
}

function without(expansions: Expansions, file: string): Expansions {
  return Object.fromEntries(Object.entries(expansions).filter(([, each]) => each.file !== file));
}

/** `<rules>` as they will be, by language. */
class Lent {
  readonly #after = new Map<string, Expansions>();
  readonly #templates = new Map<string, ReadonlyMap<string, Template>>();

  constructor(files: readonly RuleFile[]) {
    for (const language of new Set(files.map((each) => each.language))) {
      const own = files.filter((each) => each.language === language);
      this.#after.set(language, changed(expansionsOf(language), own));
    }
  }

  templates(language: string): ReadonlyMap<string, Template> {
    const known = this.#templates.get(language);
    if (known) return known;
    const shared = language === '*' ? [] : Object.entries(this.#of('*'));
    const all = [...shared, ...Object.entries(this.#of(language))];
    const templates = new Map(all.map(([name, { text }]) => [name, readTemplate(text)] as const));
    this.#templates.set(language, templates);
    return templates;
  }

  /** Units that what changed is compiled into. */
  users(but: ReadonlySet<string>): readonly Unit[] {
    return [...this.#after].flatMap(([language, after]) => {
      const before = expansionsOf(language);
      const names = [...Object.keys(before), ...Object.keys(after)];
      const other = names.filter((name) => before[name]?.text !== after[name]?.text);
      return unitsThatUse(new Set(other), language, but);
    });
  }

  keep(): void {
    for (const [language, after] of this.#after)
      if (JSON.stringify(expansionsOf(language)) !== JSON.stringify(after))
        set(keys.expansions(language), after as never);
  }

  #of(language: string): Expansions {
    return this.#after.get(language) ?? expansionsOf(language);
  }
}

function changed(before: Expansions, files: readonly RuleFile[]): Expansions {
  let kept = before;
  for (const { file } of files) kept = without(kept, file);
  const after: Record<string, { text: string; file: string }> = { ...kept };
  for (const { file, expansionTexts } of files)
    for (const [name, text] of Object.entries(expansionTexts)) {
      const other = after[name];
      if (other && other.file !== file)
        throw invalid([
          {
            file,
            line: 1,
            column: 1,
            message: `\`${other.file}\` has a rule <${name}> already`,
            remedy: 'call one of them otherwise',
          },
        ]);
      after[name] = { text, file };
    }
  return after;
}

function unitsThatUse(
  names: ReadonlySet<string>,
  language: string,
  but: ReadonlySet<string>,
): readonly Unit[] {
  if (names.size === 0) return [];
  return all<Unit>(UNITS).filter(
    ({ file, language: own, uses }) =>
      !but.has(file) && (language === '*' || own === language) && uses.some((rule) => names.has(rule)),
  );
}

export function all<T>(prefix: string): readonly T[] {
  return entries<T>(prefix).map(({ value }) => value);
}

/** Everything under a prefix. */
export function entries<T>(prefix: string): readonly { readonly key: string; readonly value: T }[] {
  const found: { key: string; value: T }[] = [];
  for (let after: string | undefined; ; ) {
    const page = list<T>(prefix, { limit: 500, ...(after !== undefined && { after }) } as never);
    if (page.length === 0) return found;
    found.push(...(page as typeof found));
    after = page.at(-1)!.key;
  }
}
