/** Notices that what `prepare()` read to build an image is no longer so. */
import type { KvReader } from '../store/reader.ts';
import type { Reads } from '../store/records.ts';

/** How long after a commit the dependencies of an image are looked at, so that a burst costs one look. */
const CHECK_MS = 50;

export class Dependencies {
  readonly #reader: KvReader;
  readonly #check: (plugin: string) => Promise<void>;
  readonly #due = new Map<string, NodeJS.Timeout>();

  constructor(reader: KvReader, check: (plugin: string) => Promise<void>) {
    this.#reader = reader;
    this.#check = check;
  }

  /** Something of the plugin was committed; looks soon, once for all that comes until then. */
  note(plugin: string, reads: Reads): void {
    if ((reads.keys.length === 0 && reads.ranges.length === 0) || this.#due.has(plugin)) return;
    const look = () => {
      this.#due.delete(plugin);
      void this.#check(plugin);
    };
    this.#due.set(plugin, setTimeout(look, CHECK_MS));
  }

  /** Whether all of it is still as it was read. */
  hold(plugin: string, reads: Reads): boolean {
    this.#reader.begin();
    try {
      return this.#reader.holds(plugin, reads);
    } finally {
      this.#reader.end();
    }
  }

  stop(): void {
    for (const timer of this.#due.values()) clearTimeout(timer);
  }
}
