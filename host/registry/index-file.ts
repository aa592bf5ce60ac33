/**
 * `plugins/index.json` of the home: what is registered, for people and tools to read (HOST-15).
 *
 * It is a projection of the store, never read as truth: one that is torn or was edited by hand is set
 * aside and written anew.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import type { PluginRow } from '../store/records.ts';

export interface IndexEntry extends Pick<PluginRow, 'id' | 'kind' | 'state' | 'path' | 'origin' | 'digest'> {
  readonly version: string;
  readonly gate: string;
}

export class IndexFile {
  readonly #file: string;

  constructor(home: string) {
    this.#file = path.join(home, 'plugins', 'index.json');
  }

  /** Atomic: a reader sees the old file or the new one, also after a crash. */
  save(entries: readonly IndexEntry[]): void {
    mkdirSync(path.dirname(this.#file), { recursive: true });
    const temporary = `${this.#file}.${process.pid}.tmp`;
    const fd = openSync(temporary, 'w', 0o644);
    try {
      writeSync(fd, render(entries));
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, this.#file);
  }

  /**
   * Makes the file say what the store says. Answers the name under which a differing file was set aside,
   * undefined when there was nothing to set aside.
   */
  reconcile(entries: readonly IndexEntry[], nowMs: number): string | undefined {
    if (!existsSync(this.#file)) {
      this.save(entries);
      return undefined;
    }
    if (readFileSync(this.#file, 'utf8') === render(entries)) return undefined;
    const aside = `${this.#file}.set-aside-${nowMs}`;
    renameSync(this.#file, aside);
    this.save(entries);
    return path.basename(aside);
  }
}

function render(entries: readonly IndexEntry[]): string {
  return `${JSON.stringify({ plugins: entries }, null, 2)}\n`;
}
