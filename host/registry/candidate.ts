/**
 * A version of a plugin on its way to serving: files → manifest → signature → bundle → boot.
 *
 * Nothing of it touches what serves now; where a stage fails, its error says file and line, and the old
 * version goes on (design §3, "the one path of a save").
 */
import { createHash } from 'node:crypto';
import { readPluginEvents } from '../bus/event-files.ts';
import type { Seen, SeenTooMuch } from '../context/transcript.ts';
import { NeiraError } from '../errors.ts';
import { buildComponent, type LinkedComponent } from '../sandbox/component/build/build-component.ts';
import type { CacheOptions } from '../sandbox/component/build/component-cache.ts';
import { packComponent } from '../sandbox/component/built-component.ts';
import type { BootReply } from '../sandbox/messages.ts';
import type { CellPool } from '../sandbox/pool.ts';
import { type Bundle, bundlePlugin } from '../sandbox/quickjs/bundle.ts';
import type { LogLine, Reads, VersionRow } from '../store/records.ts';
import type { PluginPolicy } from '../turn-context.ts';
import { requireLinks } from './links.ts';
import { type Manifest, parseManifest } from './manifest.ts';
import { type PluginSignature, type SignaturePolicy, verifySignature } from './signature.ts';
import { digestOf, manifestOf, type SourceTree, sourceFromFolder } from './source.ts';

/** A version as it is stored: everything that is needed to boot it again without its folder. */
export interface Version {
  readonly manifest: Manifest;
  readonly digest: string;
  readonly files: ReadonlyMap<string, Buffer>;
  readonly code: string;
  readonly sourceMap: string;
  readonly signedBy: string | null;
  /** Set for a version that comes back from the store: it keeps its place in the order. */
  readonly createdAtMs?: number;
}

/** A version that booted: its image is what every turn starts from. */
export interface Booted {
  readonly reply: BootReply;
  readonly dependencies: Reads;
  readonly logs: readonly LogLine[];
  /** What top-level code and `prepare()` were told. */
  readonly seen: Seen | SeenTooMuch;
}

export interface BuildSettings {
  readonly signatures: SignaturePolicy;
  /** Where built components are kept; without it each is built anew. */
  readonly components?: CacheOptions;
  /** Finds what a component asks to be linked to. @throws NEIRA_LINK_MISSING */
  links?(manifest: Manifest): readonly LinkedComponent[];
}

const MAX_UNSTABLE_READS = 5;

/** Reads, checks and bundles what lies in `folder`. @throws with the stage's error; nothing was changed. */
export async function buildVersion(
  folder: string,
  settings: BuildSettings,
  given?: PluginSignature,
): Promise<Version> {
  for (let attempt = 1; ; attempt++) {
    const tree = await sourceFromFolder(folder);
    const parsed = parseManifest(manifestOf(tree).text, { files: tree.files.keys() });
    const manifest = { ...parsed, events: readPluginEvents(parsed.id, eventFiles(tree)) };
    const digest = digestOf(tree);
    const { signedBy } = verifySignature(tree, manifest.id, settings.signatures, given);
    const { code, map } = await codeOf(folder, manifest, tree, settings);
    // A save in the middle would join the manifest of one version with the code of another.
    if (digestOf(await sourceFromFolder(folder)) === digest) {
      return { manifest, digest, files: tree.files, code, sourceMap: map, signedBy };
    }
    if (attempt === MAX_UNSTABLE_READS) {
      throw new NeiraError('NEIRA_SOURCE_REFUSED', {
        reason: 'its files change faster than they can be read',
      });
    }
  }
}

/** What a cell boots: the bundle of a script with its source map, or what is made of a component. */
async function codeOf(
  folder: string,
  manifest: Manifest,
  { files, packages }: SourceTree,
  settings: BuildSettings,
): Promise<Pick<Bundle, 'code' | 'map'>> {
  const { kind, entry, limits, provides } = manifest;
  if (kind === 'script') return bundlePlugin(folder, entry, packages);
  const built = await buildComponent(files.get(entry)!, {
    maxMemoryBytes: limits.memoryMb * 1024 * 1024,
    provides,
    links: settings.links?.(manifest) ?? [],
    ...(settings.components && { cache: settings.components }),
  });
  return { code: packComponent(built), map: '' };
}

/** The schemas of events that a plugin brings. */
function eventFiles({ files }: SourceTree): ReadonlyMap<string, string> {
  const texts = [...files].filter(([path]) => path.startsWith('events/'));
  return new Map(texts.map(([path, bytes]) => [path, bytes.toString()]));
}

/**
 * Boots a version in the spare cell. @param seen JSON of what an earlier boot was told, to be told the same
 * @throws NEIRA_BOOT_FAILED, NEIRA_NO_HANDLER
 */
export async function bootVersion(
  cell: Pick<CellPool, 'boot'>,
  version: Pick<Version, 'code' | 'sourceMap'>,
  policy: PluginPolicy,
  seen?: string,
): Promise<Booted> {
  requireLinks(policy);
  const { code, sourceMap } = version;
  const { plugin, limits } = policy;
  const reply = await cell.boot({
    plugin,
    limits,
    code,
    sourceMap,
    policy,
    ...(seen !== undefined && { seen }),
  });
  if (!reply.hasHandler) throw new NeiraError('NEIRA_NO_HANDLER', { plugin: policy.plugin });
  return { reply, ...(reply.observed as Omit<Booted, 'reply'>) };
}

/** The row and the blobs that keep a version. */
export function storedForm(version: Version, nowMs: number): { row: VersionRow; blobs: Map<string, Buffer> } {
  const blobs = new Map<string, Buffer>();
  const keep = (bytes: Buffer): string => {
    const digest = createHash('sha256').update(bytes).digest('hex');
    blobs.set(digest, bytes);
    return digest;
  };
  const files = Object.fromEntries([...version.files].map(([path, bytes]) => [path, keep(bytes)]));
  const row: VersionRow = {
    plugin: version.manifest.id,
    digest: version.digest,
    version: version.manifest.version,
    manifest: JSON.stringify(version.manifest),
    files: JSON.stringify(files),
    bundle: keep(Buffer.from(version.code)),
    sourceMap: keep(Buffer.from(version.sourceMap)),
    createdAtMs: version.createdAtMs ?? nowMs,
    signedBy: version.signedBy,
  };
  return { row, blobs };
}

export type { SourceTree };
