import { NeiraError } from '../errors.ts';
import type { Version } from './candidate.ts';
import type { LivePlugin } from './live-plugin.ts';
import type { Manifest } from './manifest.ts';
import type { RegistryStore } from './parts.ts';
import { newestFirst } from './reload.ts';

/**
 * A version that the store keeps: the one before what serves, or one that is named by number or digest.
 * @throws NEIRA_NOT_FOUND
 */
export function storedVersion(
  store: Pick<RegistryStore, 'versions' | 'blob'>,
  plugin: LivePlugin,
  wanted: string | undefined,
): Version {
  const versions = newestFirst(store.versions(plugin.row.id));
  const current = versions.findIndex(({ digest }) => digest === plugin.row.digest);
  const found = wanted
    ? versions.find(({ version, digest }) => version === wanted || isDigest(wanted, digest))
    : versions[current + 1];
  const text = (digest: string) => Buffer.from(store.blob(digest) ?? []).toString();
  if (!found)
    throw new NeiraError('NEIRA_NOT_FOUND', { what: 'version', id: wanted ?? 'before the current one' });
  const files = Object.entries(JSON.parse(found.files) as Record<string, string>);
  return {
    manifest: JSON.parse(found.manifest) as Manifest,
    digest: found.digest,
    files: new Map(files.map(([name, digest]) => [name, Buffer.from(store.blob(digest) ?? [])])),
    code: text(found.bundle),
    sourceMap: text(found.sourceMap),
    signedBy: found.signedBy,
    createdAtMs: found.createdAtMs,
  };
}

/** A digest may be shortened as `neira plugin show` prints it. */
function isDigest(wanted: string, digest: string): boolean {
  return wanted.length >= 12 && digest.startsWith(wanted);
}
