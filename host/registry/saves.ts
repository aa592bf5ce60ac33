/**
 * Saved files on their way to serving: a folder came to rest → is it new, is it whole, may it run → reload.
 *
 * A save may still be half of one when the folder looks at rest: the editor truncated the file and has not
 * written it yet, or writes in pieces. What does not build is therefore final only when the folder has not
 * changed for {@link REST_MS}, and what looks unfinished waits that long before it is tried at all. All
 * other saves go straight through.
 */
import { createHash } from 'node:crypto';
import { decide } from '../../gates/decide.ts';
import type { Mode } from '../../gates/gates.ts';
import { NeiraError } from '../errors.ts';
import { type BuildSettings, buildVersion, type SourceTree } from './candidate.ts';
import { givenSettings, type LivePlugin } from './live-plugin.ts';
import { ENGINE_GATES, type Manifest } from './manifest.ts';
import type { Registry } from './registry.ts';
import { clearFailure, recordFailure, swapTo } from './reload.ts';
import { digestOf, sourceFromFolder } from './source.ts';
import { PluginWatcher } from './watch.ts';

export interface SaveSettings extends BuildSettings {
  readonly versionsKept: number;
  mode(): Mode;
}

const ACTOR = 'watch';
/** How long a folder must not change for what is in it to be taken at its word. */
const REST_MS = 200;
/** A folder that keeps changing and never builds is reported after this many tries. */
const MAX_TRIES = 20;

/** A folder as it was read; '' is the digest of one that cannot be. */
interface Seen {
  readonly digest: string;
  readonly tree?: SourceTree;
}

export class FolderSaves {
  readonly #registry: Registry;
  readonly #settings: SaveSettings;
  readonly #watcher: PluginWatcher;
  readonly #queued = new Set<string>();
  /** Saves that a locked gate or safe mode keeps from running. */
  readonly #held = new Set<string>();
  #closed = false;

  constructor(registry: Registry, settings: SaveSettings) {
    this.#registry = registry;
    this.#settings = settings;
    const { log } = registry.parts;
    this.#watcher = new PluginWatcher({
      onSettled: (plugin) => this.look(plugin),
      onProblem: (plugin, err) => log.warn({ plugin, err }, 'changes of its folder may go unnoticed'),
    });
  }

  /** Watches what is registered, and takes over what was saved while the host was down. */
  async start(): Promise<void> {
    for (const { row } of this.#registry.list()) {
      await this.#registry.exclusive(row.id, () => this.watch(row.id));
      this.look(row.id, true);
    }
  }

  /** Watches the folder that the plugin has now. The caller holds the plugin. */
  async watch(id: string): Promise<void> {
    const folder = this.#registry.find(id)?.row.path;
    if (folder !== undefined && !this.#closed) await this.#watcher.watch(id, folder);
  }

  async unwatch(id: string): Promise<void> {
    this.#held.delete(id);
    await this.#watcher.unwatch(id);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#watcher.close();
  }

  /** Takes over what the folder holds now; `again` also what failed before. Never throws: it has no caller. */
  look(id: string, again = false): void {
    if (this.#queued.has(id)) return;
    this.#queued.add(id);
    void this.#registry
      .exclusive(id, async () => {
        this.#queued.delete(id);
        if (!this.#closed) await this.#takeOver(id, again);
      })
      .catch((err: unknown) => {
        this.#registry.parts.log.error({ plugin: id, err }, 'a save was not taken over');
      });
  }

  async #takeOver(id: string, again: boolean): Promise<void> {
    const plugin = this.#registry.find(id);
    if (!plugin) return;
    const seen = await see(plugin.row.path);
    if (seen.digest === plugin.row.sourceDigest) return clearFailure(this.#registry, id, ACTOR);
    if (!again && plugin.row.lastError !== null && plugin.error?.folder === seen.digest) return;
    if (this.#mayReload(plugin)) await this.#reload(plugin, seen);
    else this.#hold(id);
  }

  async #reload(plugin: LivePlugin, first: Seen): Promise<void> {
    const { id, path: folder, sourceDigest } = plugin.row;
    let seen = await this.#whole(plugin, first);
    for (let tries = 1; !this.#closed && seen.digest !== sourceDigest; tries++) {
      let failure: unknown;
      try {
        return await this.#swap(plugin);
      } catch (error) {
        failure = error;
      }
      const later = await rested(folder, seen);
      if (later.digest === seen.digest || tries === MAX_TRIES)
        return recordFailure(this.#registry, id, ACTOR, failure, later.digest);
      seen = later;
    }
    if (!this.#closed) await clearFailure(this.#registry, id, ACTOR);
  }

  async #swap({ row, grants }: LivePlugin): Promise<void> {
    const { id, path: folder, origin } = row;
    const version = await buildVersion(folder, this.#settings);
    requireSameId(version.manifest, id);
    await swapTo(this.#registry, version, {
      actor: ACTOR,
      action: 'plugin.reloaded',
      state: revived(row),
      grants,
      settings: givenSettings(row),
      path: folder,
      origin,
      sourceDigest: version.digest,
      versionsKept: this.#settings.versionsKept,
    });
  }

  /** Waits for what looks unfinished to be finished, or to stay as it is. */
  async #whole({ row }: LivePlugin, first: Seen): Promise<Seen> {
    const { store } = this.#registry.parts;
    const loaded = store.versions(row.id).find(({ digest }) => digest === row.sourceDigest);
    const files = new Map(Object.entries(JSON.parse(loaded?.files ?? '{}') as Record<string, string>));
    const read = (blob: string) => Buffer.from(store.blob(blob) ?? []);
    let seen = first;
    for (let tries = 1; looksUnfinished(files, read, seen.tree) && tries < MAX_TRIES; tries++) {
      const later = await rested(row.path, seen);
      if (later.digest === seen.digest) break;
      seen = later;
    }
    return seen;
  }

  #mayReload({ manifest }: LivePlugin): boolean {
    const gate = this.#registry.parts.gates.view(ENGINE_GATES[manifest.kind]);
    const mode = this.#settings.mode();
    return decide({ about: 'change', operation: 'reload', gate, mode, caller: 'host' }).verdict === 'run';
  }

  /** What is saved behind a locked gate, or in safe mode, is taken over when that ends. */
  #hold(id: string): void {
    if (!this.#held.has(id)) {
      this.#registry.parts.log.info({ plugin: id }, 'a save waits: its gate is locked, or the mode is safe');
    }
    this.#held.add(id);
  }

  /** A gate or the mode moved: what was held back by it is looked at again. */
  release(): void {
    for (const id of this.#held) {
      const plugin = this.#registry.find(id);
      if (plugin && !this.#mayReload(plugin)) continue;
      this.#held.delete(id);
      this.look(id, true);
    }
  }
}

/** A quarantined plugin that was mended runs again. */
export function revived({ state }: LivePlugin['row']): LivePlugin['row']['state'] {
  return state === 'quarantined' ? 'enabled' : state;
}

/** @throws NEIRA_CONFLICT: a plugin keeps its id as long as it is registered. */
export function requireSameId({ id: found }: Manifest, id: string): void {
  if (found === id) return;
  throw new NeiraError('NEIRA_CONFLICT', {
    what: 'The folder of plugin',
    id,
    by: `plugin \`${found}\``,
  });
}

/** Digest of a folder, '' when it cannot be read. */
export async function digestOfFolder(folder: string): Promise<string> {
  return (await see(folder)).digest;
}

async function see(folder: string): Promise<Seen> {
  try {
    const tree = await sourceFromFolder(folder);
    return { digest: digestOf(tree), tree };
  } catch {
    // Building it says why.
    return { digest: '' };
  }
}

/** Waits once; a folder that changed meanwhile is as it is then. */
async function rested(folder: string, before: Seen): Promise<Seen> {
  await new Promise((resolve) => setTimeout(resolve, REST_MS));
  const now = await see(folder);
  return now.digest === before.digest ? before : now;
}

const NEWLINE = 0x0a;

/**
 * Whether a file is gone, empty, cut short, or ends in the middle of its last line while it did not before.
 * `before` are the files last taken over, by name, each with the digest of its content.
 */
function looksUnfinished(
  before: ReadonlyMap<string, string>,
  read: (digest: string) => Buffer,
  now: SourceTree | undefined,
): boolean {
  if (!now) return true;
  for (const [name, digest] of before) {
    const found = now.files.get(name);
    if (found === undefined) return true;
    if (createHash('sha256').update(found).digest('hex') === digest) continue;
    const old = read(digest);
    if (old.subarray(0, found.length).equals(found)) return true;
    if (old.at(-1) === NEWLINE && found.at(-1) !== NEWLINE) return true;
  }
  return [...now.files].some(([name, content]) => content.length === 0 && !before.has(name));
}
