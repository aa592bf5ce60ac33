/** YAML, and where in it something stands. JSON is YAML too. */
import { LineCounter, parseDocument } from 'yaml';
import type { Problem } from './problem.ts';

/** What one alias may grow to, so that a small text does not become a large one. */
const MAX_ALIASES = 100;

export type Path = readonly (string | number)[];

export interface Source {
  readonly file: string;
  readonly value: unknown;
  /** Line and column, from 1, of what is at this path, or of the nearest thing around it. */
  placeOf(path: Path): { readonly line: number; readonly column: number };
}

export function readSource(file: string, text: string): Source | readonly Problem[] {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, version: '1.2' });
  if (document.errors.length > 0)
    return document.errors.map(({ message, pos: [at] }) => {
      const { line, col } = lines.linePos(at);
      return { file, line, column: col, message: `this is no YAML: ${message}` };
    });
  const placeOf = (path: Path) => {
    for (let length = path.length; length >= 0; length -= 1) {
      const node = document.getIn(path.slice(0, length), true) as { range?: [number] } | undefined;
      if (!node?.range) continue;
      const { line, col } = lines.linePos(node.range[0]);
      return { line, column: col };
    }
    return { line: 1, column: 1 };
  };
  try {
    return { file, value: document.toJS({ maxAliasCount: MAX_ALIASES }), placeOf };
  } catch (error) {
    return [{ file, line: 1, column: 1, message: (error as Error).message }];
  }
}
