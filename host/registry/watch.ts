/**
 * Watches plugin folders: one call per settled save, whatever the editor does to get there.
 *
 * Editors write in place, or to a temporary file that they rename, or move the old file away first, or
 * in several pieces. The watcher only says "look again" a moment after the last sign of change; what
 * counts is the content, which the reload compares by digest.
 */
import { realpathSync } from 'node:fs';
import chokidar, { type FSWatcher } from 'chokidar';

/** Quiet time after the last sign of change: longer than the gaps within one save. */
const SETTLE_MS = 15;
/** A folder that never comes to rest is looked at all the same. */
const MAX_WAIT_MS = 500;
const IGNORED =
  /(^|[/\\])(\.git|node_modules[/\\]\.bin|\.[^/\\]*\.sw[a-z]|[^/\\]*~|4913|\.#[^/\\]*)([/\\]|$)/;

export class PluginWatcher {
  readonly #onSettled: (plugin: string) => void;
  readonly #watched = new Map<string, { readonly watcher: FSWatcher; readonly stop: () => void }>();

  constructor(onSettled: (plugin: string) => void) {
    this.#onSettled = onSettled;
  }

  /** Resolves when changes from now on are seen. Watching again moves the watch. */
  async watch(plugin: string, folder: string): Promise<void> {
    await this.unwatch(plugin);
    const watcher = chokidar.watch(realpathSync(folder), {
      ignoreInitial: true,
      ignored: (path) => IGNORED.test(path),
    });
    let timer: NodeJS.Timeout | undefined;
    let firstSignMs = 0;
    const settled = () => {
      timer = undefined;
      this.#onSettled(plugin);
    };
    watcher.on('all', () => {
      const now = performance.now();
      if (timer === undefined) firstSignMs = now;
      clearTimeout(timer);
      timer = setTimeout(settled, Math.min(SETTLE_MS, Math.max(0, firstSignMs + MAX_WAIT_MS - now)));
    });
    // A folder that vanished or may not be read is no reason to stop: the plugin serves from the store.
    watcher.on('error', () => {});
    this.#watched.set(plugin, { watcher, stop: () => clearTimeout(timer) });
    await new Promise<void>((resolve) => watcher.once('ready', () => resolve()));
  }

  async unwatch(plugin: string): Promise<void> {
    const watched = this.#watched.get(plugin);
    this.#watched.delete(plugin);
    watched?.stop();
    await watched?.watcher.close();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#watched.keys()].map((plugin) => this.unwatch(plugin)));
  }
}
