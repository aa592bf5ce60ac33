/**
 * Watches plugin folders: one call per settled save, whatever the editor does to get there.
 *
 * Editors write in place, or to a temporary file that they rename, or move the old file away first, or
 * in several pieces. The watcher only says "look again" a moment after the last sign of change; what
 * counts is the content, which is compared by digest.
 */
import { statSync } from 'node:fs';
import path from 'node:path';
import chokidar, { type FSWatcher } from 'chokidar';
import { isLeftOut } from './tree.ts';

/** Quiet time after the last sign of change: longer than the gaps within one save. */
const SETTLE_MS = 15;
/** A folder that never comes to rest is looked at all the same. */
const MAX_WAIT_MS = 500;
/** How often the folders themselves are looked for: one that went away, or was replaced as a whole. */
const PATROL_MS = 500;
/** A tree that takes longer to go through is looked at before the watch on all of it stands. */
const READY_MS = 5000;

interface Watched {
  readonly folder: string;
  /** Which folder it was when the watch began; undefined while there is none. */
  identity: string | undefined;
  watcher: FSWatcher | undefined;
  timer: NodeJS.Timeout | undefined;
  firstSignMs: number;
}

export interface WatchListener {
  /** The folder came to rest after a change. */
  onSettled(plugin: string): void;
  /** Changes may go unnoticed. */
  onProblem(plugin: string, error: unknown): void;
}

export class PluginWatcher {
  readonly #listener: WatchListener;
  readonly #watched = new Map<string, Watched>();
  readonly #patrol: NodeJS.Timeout;

  constructor(listener: WatchListener) {
    this.#listener = listener;
    this.#patrol = setInterval(() => this.#lookForFolders(), PATROL_MS);
    this.#patrol.unref();
  }

  /** Resolves when changes from now on are seen. A folder that is not there is seen when it comes. */
  async watch(plugin: string, folder: string): Promise<void> {
    const known = this.#watched.get(plugin);
    if (known?.folder === folder && known.watcher && known.identity === identityOf(folder)) return;
    await this.unwatch(plugin);
    const watched: Watched = {
      folder,
      identity: undefined,
      watcher: undefined,
      timer: undefined,
      firstSignMs: 0,
    };
    this.#watched.set(plugin, watched);
    await this.#open(plugin, watched);
  }

  async unwatch(plugin: string): Promise<void> {
    const watched = this.#watched.get(plugin);
    this.#watched.delete(plugin);
    clearTimeout(watched?.timer);
    await watched?.watcher?.close();
  }

  async close(): Promise<void> {
    clearInterval(this.#patrol);
    await Promise.all([...this.#watched.keys()].map((plugin) => this.unwatch(plugin)));
  }

  async #open(plugin: string, watched: Watched): Promise<void> {
    const { folder } = watched;
    watched.identity = identityOf(folder);
    if (watched.identity === undefined) return;
    const watcher = chokidar.watch(folder, {
      ignoreInitial: true,
      // A link out of the folder is refused when the plugin is built; following it could mean the whole disk.
      followSymlinks: false,
      // Would hold back removals for 100 ms, to join them with what follows: the settling does that.
      atomic: false,
      ignored: (file) => isLeftOut(path.relative(folder, file)),
    });
    watched.watcher = watcher;
    watcher.on('all', () => this.#sign(plugin, watched));
    watcher.on('error', (error) => this.#listener.onProblem(plugin, error));
    await new Promise<void>((resolve) => {
      const giveUp = setTimeout(resolve, READY_MS);
      watcher.once('ready', () => {
        clearTimeout(giveUp);
        resolve();
      });
    });
  }

  #sign(plugin: string, watched: Watched): void {
    const now = performance.now();
    if (watched.timer === undefined) watched.firstSignMs = now;
    clearTimeout(watched.timer);
    const patienceMs = Math.max(0, watched.firstSignMs + MAX_WAIT_MS - now);
    watched.timer = setTimeout(
      () => {
        watched.timer = undefined;
        if (this.#watched.get(plugin) === watched) this.#listener.onSettled(plugin);
      },
      Math.min(SETTLE_MS, patienceMs),
    );
  }

  #lookForFolders(): void {
    for (const [plugin, watched] of this.#watched) {
      if (identityOf(watched.folder) === watched.identity) continue;
      void this.#reopen(plugin, watched);
    }
  }

  async #reopen(plugin: string, watched: Watched): Promise<void> {
    const { watcher } = watched;
    watched.watcher = undefined;
    watched.identity = identityOf(watched.folder);
    await watcher?.close();
    if (this.#watched.get(plugin) !== watched) return;
    await this.#open(plugin, watched);
    // Closed again while it was being opened.
    if (this.#watched.get(plugin) === watched) this.#sign(plugin, watched);
    else await (watched as Watched).watcher?.close();
  }
}

function identityOf(folder: string): string | undefined {
  try {
    const { dev, ino } = statSync(folder);
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}
