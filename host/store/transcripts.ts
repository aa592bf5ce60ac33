/**
 * Transcripts of turns that succeeded: lines of JSON in bounded segments below `transcripts/<plugin>/`, written
 * behind the commit and without fsync (design §4). They are for looking back; nothing that was promised depends on
 * them, so a loss of power may take the newest, and a line that was cut is skipped.
 */
import { closeSync, mkdirSync, openSync, readdirSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** A plugin keeps between three and four of these; all plugins together no more than {@link MAX_TOTAL_BYTES}. */
export const SEGMENT_BYTES = 2 * 1024 * 1024;
const SEGMENTS = 4;
const MAX_TOTAL_BYTES = 512 * 1024 * 1024;
const MAX_OPEN_FILES = 64;

interface Segments {
  /** Rising; the last is written to. */
  readonly numbers: number[];
  readonly bytes: Map<number, number>;
  fd: number | undefined;
  pending: string[];
}

export function transcriptsFolder(home: string, plugin?: string): string {
  return plugin === undefined ? join(home, 'transcripts') : join(home, 'transcripts', plugin);
}

export function segmentName(number: number): string {
  return `${String(number).padStart(8, '0')}.ndjson`;
}

/** Rising numbers of the segments in a plugin's folder. */
export function segmentNumbers(folder: string): number[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    // Nothing of it was kept yet.
    return [];
  }
  return names
    .filter((name) => /^\d{8}\.ndjson$/.test(name))
    .map((name) => Number.parseInt(name, 10))
    .sort((a, b) => a - b);
}

export class TranscriptWriter {
  readonly #home: string;
  readonly #problem: (what: string, reason: string) => void;
  /** In order of last use. */
  readonly #plugins = new Map<string, Segments>();
  readonly #touched = new Set<string>();
  #totalBytes: number | undefined;
  #reported = false;

  constructor(home: string, problem: (what: string, reason: string) => void) {
    this.#home = home;
    this.#problem = problem;
  }

  /** Keeps a line until {@link flush}. */
  add(plugin: string, line: string): void {
    this.#of(plugin).pending.push(line);
    this.#touched.add(plugin);
  }

  /** Writes what was added, one write for each plugin. What cannot be written is dropped, and told once. */
  flush(): void {
    for (const plugin of this.#touched) {
      const segments = this.#of(plugin);
      const text = `${segments.pending.join('\n')}\n`;
      segments.pending = [];
      try {
        this.#write(plugin, segments, text);
      } catch (error) {
        this.#closeFile(segments);
        if (!this.#reported)
          this.#problem('transcripts of turns cannot be written', (error as Error).message);
        this.#reported = true;
      }
    }
    this.#touched.clear();
  }

  /** Deletes all that was kept of a plugin. */
  drop(plugin: string): void {
    const segments = this.#plugins.get(plugin);
    if (segments) this.#closeFile(segments);
    this.#plugins.delete(plugin);
    this.#totalBytes = undefined;
    rmSync(transcriptsFolder(this.#home, plugin), { recursive: true, force: true });
  }

  close(): void {
    this.flush();
    for (const segments of this.#plugins.values()) this.#closeFile(segments);
  }

  #of(plugin: string): Segments {
    const known = this.#plugins.get(plugin);
    if (known) return known;
    const folder = transcriptsFolder(this.#home, plugin);
    const numbers = segmentNumbers(folder);
    const bytes = new Map(
      numbers.map((number) => [number, statSync(join(folder, segmentName(number))).size]),
    );
    const segments: Segments = { numbers, bytes, fd: undefined, pending: [] };
    this.#plugins.set(plugin, segments);
    return segments;
  }

  #write(plugin: string, segments: Segments, text: string): void {
    const last = segments.numbers.at(-1);
    // What an earlier process left may end in the middle of a line.
    const full = last === undefined || segments.bytes.get(last)! >= SEGMENT_BYTES;
    if (segments.fd === undefined || full) this.#openFile(plugin, segments, full ? (last ?? 0) + 1 : last);
    const number = segments.numbers.at(-1)!;
    const written = writeSync(segments.fd!, text);
    segments.bytes.set(number, segments.bytes.get(number)! + written);
    if (this.#totalBytes !== undefined) this.#totalBytes += written;
    this.#plugins.delete(plugin);
    this.#plugins.set(plugin, segments);
  }

  #openFile(plugin: string, segments: Segments, number: number): void {
    this.#closeFile(segments);
    const folder = transcriptsFolder(this.#home, plugin);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    segments.fd = openSync(join(folder, segmentName(number)), 'a', 0o600);
    if (segments.numbers.at(-1) === number) {
      segments.bytes.set(number, segments.bytes.get(number)! + writeSync(segments.fd, '\n'));
    } else {
      segments.numbers.push(number);
      segments.bytes.set(number, 0);
      while (segments.numbers.length > SEGMENTS) this.#deleteOldest(plugin, segments);
      this.#boundAll();
    }
    this.#boundOpen();
  }

  #deleteOldest(plugin: string, segments: Segments): void {
    const number = segments.numbers.shift()!;
    if (this.#totalBytes !== undefined) this.#totalBytes -= segments.bytes.get(number)!;
    segments.bytes.delete(number);
    rmSync(join(transcriptsFolder(this.#home, plugin), segmentName(number)), { force: true });
  }

  /** Plugins that have been silent longest lose their oldest first. */
  #boundAll(): void {
    this.#totalBytes ??= this.#measure();
    for (const [plugin, segments] of this.#plugins) {
      while (this.#totalBytes > MAX_TOTAL_BYTES && segments.numbers.length > 1)
        this.#deleteOldest(plugin, segments);
      if (this.#totalBytes <= MAX_TOTAL_BYTES) return;
    }
  }

  #measure(): number {
    for (const entry of readdirSync(transcriptsFolder(this.#home), { withFileTypes: true }))
      if (entry.isDirectory()) this.#of(entry.name);
    return [...this.#plugins.values()].reduce(
      (sum, { bytes }) => sum + [...bytes.values()].reduce((all, each) => all + each, 0),
      0,
    );
  }

  #boundOpen(): void {
    const open = [...this.#plugins.values()].filter(({ fd }) => fd !== undefined);
    for (const segments of open.slice(0, Math.max(0, open.length - MAX_OPEN_FILES)))
      this.#closeFile(segments);
  }

  #closeFile(segments: Segments): void {
    if (segments.fd !== undefined) closeSync(segments.fd);
    segments.fd = undefined;
  }
}
