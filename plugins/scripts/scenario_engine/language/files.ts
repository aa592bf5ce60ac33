/** The author's files: each read once, each part of one knowing where it stands. */
import type { Problem } from './language.ts';
import { misfitsOf } from './shape.ts';
import { type Path, readSource, type Source } from './yaml.ts';

const MAX_FILES_CHARS = 256 * 1024;

/** A place in a file. */
export interface Place {
  readonly source: Source;
  readonly path: Path;
}

export class Files {
  readonly problems: Problem[] = [];
  readonly #texts: Readonly<Record<string, string>>;
  readonly #sources = new Map<string, Source | undefined>();

  constructor(texts: Readonly<Record<string, string>>) {
    this.#texts = texts;
  }

  /** @param what it has to be: `scenario`, or a `library` of fragments */
  open(file: string, what: 'scenario' | 'library'): Source | undefined {
    const known = this.#sources.get(file);
    if (known !== undefined || this.#sources.has(file)) return known;
    const source = this.#read(file, what);
    this.#sources.set(file, source);
    return source;
  }

  #read(file: string, what: 'scenario' | 'library'): Source | undefined {
    const text = this.#texts[file];
    const size = Object.values(this.#texts).reduce((sum, each) => sum + each.length, 0);
    if (text === undefined || size > MAX_FILES_CHARS) {
      const message =
        text === undefined
          ? `there is no file \`${file}\``
          : `the files have ${size} characters, ${MAX_FILES_CHARS} are allowed`;
      this.problems.push({ file, line: 1, column: 1, path: '', message });
      return undefined;
    }
    const source = readSource(file, text);
    if (!('value' in source)) {
      this.problems.push(...source);
      return undefined;
    }
    const shape = what === 'library' && isScenario(source.value) ? 'scenario' : what;
    const misfits = misfitsOf(source.value, shape);
    for (const { path, message, remedy } of misfits) this.add({ source, path }, message, remedy);
    return misfits.length === 0 ? source : undefined;
  }

  add({ source, path }: Place, message: string, remedy?: string): void {
    this.problems.push(problemAt({ source, path }, message, remedy));
  }
}

/** A scenario may lend its fragments to others. */
function isScenario(value: unknown): boolean {
  return value !== null && typeof value === 'object' && 'steps' in value;
}

export function problemAt({ source, path }: Place, message: string, remedy?: string): Problem {
  const { line, column } = source.placeOf(path);
  return {
    file: source.file,
    line,
    column,
    path: path.join('/'),
    message,
    ...(remedy !== undefined && { remedy }),
  };
}

/** `../common.yaml` as a file that this one names; undefined where it leaves what was given. */
export function resolveFile(from: string, named: string): string | undefined {
  if (named === '') return from;
  const parts = from.split('/').slice(0, -1);
  for (const part of named.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      if (parts.pop() === undefined) return undefined;
    } else parts.push(part);
  }
  return parts.join('/');
}
