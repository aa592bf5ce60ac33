/**
 * `plugins/index.json` of the home: what is registered, for people and tools to read (HOST-15).
 *
 * It is a projection of the store, never read as truth: one that is torn, was edited by hand or is gone
 * is set aside and written anew.
 */
import { lstatSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { PluginRow } from '../store/records.ts';

export interface IndexEntry extends Pick<PluginRow, 'id' | 'kind' | 'state' | 'path' | 'origin' | 'digest'> {
  readonly version: string;
  readonly gate: string;
}

export class IndexFile {
  readonly #file: string;
  /** What this host wrote last; undefined before its first look at the file. */
  #written: string | undefined;

  constructor(home: string) {
    this.#file = path.join(home, 'plugins', 'index.json');
  }

  /**
   * Makes the file say what the store says. Atomic: a reader sees the old file or the new one, also after
   * a crash. Answers in words what was wrong with the file that it replaced, if anything was.
   */
  save(entries: readonly IndexEntry[], nowMs: number): string | undefined {
    const text = `${JSON.stringify({ plugins: entries }, null, 2)}\n`;
    const expected = this.#written ?? text;
    const found = this.#read();
    let wrong: string | undefined;
    if (found === 'missing') {
      const isNew = this.#written === undefined && entries.length === 0;
      if (!isNew) wrong = 'plugins/index.json was missing and was written anew';
    } else if (found !== expected) {
      const aside = `${this.#file}.set-aside-${nowMs}`;
      renameSync(this.#file, aside);
      wrong = `plugins/index.json differed from the store and was set aside as ${path.basename(aside)}`;
    }
    if (found !== text) this.#write(text);
    this.#written = text;
    return wrong;
  }

  /** The text of the file; `null` for anything else of that name. */
  #read(): string | 'missing' | null {
    try {
      if (!lstatSync(this.#file).isFile()) return null;
      return readFileSync(this.#file, 'utf8');
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'missing' : null;
    }
  }

  #write(text: string): void {
    mkdirSync(path.dirname(this.#file), { recursive: true });
    const temporary = `${this.#file}.${process.pid}.tmp`;
    // Not synced: what a power cut tears is written anew at boot.
    writeFileSync(temporary, text);
    renameSync(temporary, this.#file);
  }
}
