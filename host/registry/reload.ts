/**
 * The one path of a save: folder → build → boot → commit → swap. A reload that was asked for, a saved
 * file and a new registration all come through here; a rollback joins at the boot.
 */

import { type Permissions, pendingConsent } from '../base/permissions.ts';
import { isNeiraError, NeiraError, toShape } from '../errors.ts';
import type { AdminOp, GateRow, JournalDraft, PluginRow, VersionRow } from '../store/records.ts';
import { type Booted, bootVersion, storedForm, type Version } from './candidate.ts';
import { requireFreeRoutes } from './contributed.ts';
import { requireFreeCommands } from './contributed-commands.ts';
import { type LivePlugin, type PluginError, parseRow, toolsOf } from './live-plugin.ts';
import type { Manifest } from './manifest.ts';
import { checkedSettings } from './policy.ts';
import type { Registry } from './registry.ts';
import { rehearse } from './rehearsal.ts';

export interface SwapRequest {
  readonly actor: string;
  readonly action: 'plugin.registered' | 'plugin.updated' | 'plugin.reloaded' | 'plugin.rolled-back';
  readonly state: PluginRow['state'];
  readonly grants: Permissions;
  /** As an administrator gave them, without defaults. */
  readonly settings: unknown;
  readonly path: string;
  readonly origin: PluginRow['origin'];
  /** Digest of the folder; differs from the version's own digest in a rollback. */
  readonly sourceDigest: string;
  readonly versionsKept: number;
  /** An administrator has seen what it does otherwise. */
  readonly accepted?: true;
  /** Runs after the boot and before the commit, for what has to be in place by then. */
  beforeCommit?(): void;
}

/**
 * Boots `version`, commits it, and puts it in front of its predecessor. The caller holds the plugin.
 * @throws the failing stage's error; then nothing was changed.
 */
export async function swapTo(
  registry: Registry,
  version: Version,
  request: SwapRequest,
): Promise<LivePlugin> {
  const { manifest } = version;
  const settings = checkedSettings(manifest, request.settings);
  // Before anything runs, and again where nothing can come between it and the commit.
  requirePlace(registry, manifest);
  const tried = await trial(registry, version, request.grants, settings);
  const rehearsed = await rehearsedOn(registry, version, request, tried);
  const live = await registry.amongAll(async () => {
    const planned = requirePlace(registry, manifest);
    request.beforeCommit?.();
    const committed = await commitSwap(registry, version, request, planned, rehearsed);
    if (committed.row.state === 'enabled' && tried.booted && registry.mayBoot(committed))
      registry.install(committed, tried.booted, version.sourceMap);
    else {
      registry.retire(manifest.id);
      registry.put(committed);
    }
    return committed;
  });
  if (tried.refused !== undefined) registry.noteError(manifest.id, tried.refused);
  // A gate may have opened since the trial.
  else await registry.serve(live.row.id);
  return registry.get(manifest.id);
}

async function commitSwap(
  registry: Registry,
  version: Version,
  request: SwapRequest,
  planned: readonly GateRow[],
  rehearsed: Rehearsed,
): Promise<LivePlugin> {
  const { manifest, digest } = version;
  const { gates } = registry.parts;
  const before = registry.find(manifest.id);
  const dropped = gates.dropped(manifest.id, planned);
  const nowMs = Date.now();
  const stored = storedForm(version, nowMs);
  const row: PluginRow = {
    id: manifest.id,
    kind: manifest.kind,
    state: request.state,
    digest,
    path: request.path,
    origin: request.origin,
    sourceDigest: request.sourceDigest,
    grants: JSON.stringify(request.grants),
    settings: JSON.stringify(request.settings),
    reason: null,
    lastError: null,
    registeredAtMs: before?.row.registeredAtMs ?? nowMs,
    updatedAtMs: nowMs,
  };
  const ops: AdminOp[] = [
    ...[...stored.blobs].map(
      ([name, bytes]): AdminOp => ({ op: 'blob.put', digest: name, bytes: bytes.toString('base64') }),
    ),
    ...asServed(registry, before, request, nowMs),
    { op: 'plugin.put', row },
    { op: 'version.put', row: stored.row, keep: request.versionsKept },
    ...planned.map((gate): AdminOp => ({ op: 'gate.put', row: gate })),
    ...dropped.map((id): AdminOp => ({ op: 'gate.delete', id })),
    ...rehearsed.ops,
  ];
  const draft: JournalDraft = {
    actor: request.actor,
    action: request.action,
    target: manifest.id,
    ...(before && { before: summaryOf(before) }),
    after: {
      version: manifest.version,
      digest,
      state: request.state,
      pending_consent: pendingConsent(manifest.permissions, request.grants),
    },
  };
  await registry.commit(ops, [draft, ...rehearsed.journal]);
  gates.adopt(planned, dropped);
  return parseRow(row, stored.row);
}

/**
 * After a rollback the version that serves is not the newest. When another comes in front of it, it takes
 * its place right behind: a further rollback leads back to what served, not to what was rolled back from.
 */
function asServed(
  registry: Registry,
  before: LivePlugin | undefined,
  { action, versionsKept }: SwapRequest,
  nowMs: number,
): AdminOp[] {
  if (!before || action === 'plugin.rolled-back') return [];
  const [newest] = newestFirst(registry.parts.store.versions(before.row.id));
  if (newest?.digest === before.row.digest) return [];
  return [{ op: 'version.put', row: { ...before.version, createdAtMs: nowMs - 1 }, keep: versionsKept }];
}

export function newestFirst(versions: readonly VersionRow[]): readonly VersionRow[] {
  return [...versions].sort((a, b) => b.createdAtMs - a.createdAtMs);
}

/**
 * Keeps the failure of a save or reload where its author looks: API, journal, log. The old version serves
 * on. What is known already – the same files fail in the same way – is not told twice.
 */
export async function recordFailure(
  registry: Registry,
  id: string,
  actor: string,
  error: unknown,
  folder: string,
): Promise<void> {
  const known = registry.find(id)?.error;
  const noted = registry.noteError(id, error, folder);
  const plugin = registry.find(id);
  if (!plugin || (known?.folder === folder && known.message === noted.message)) return;
  const row = { ...plugin.row, lastError: JSON.stringify(noted), updatedAtMs: noted.atMs };
  const { code, details } = toShape(error);
  await registry.commit(
    [{ op: 'plugin.put', row }],
    [
      {
        actor,
        action: 'plugin.reload-failed',
        target: id,
        before: summaryOf(plugin),
        after: { code, ...details },
        note: withPlace(noted),
      },
    ],
  );
  registry.put({ ...registry.get(id), row });
}

function withPlace({ message, details }: PluginError): string {
  const { file, line } = details;
  return typeof file === 'string' ? `${message} (${file}:${String(line ?? '?')})` : message;
}

export function summaryOf({ row, version }: LivePlugin): Record<string, unknown> {
  return { version: version.version, digest: row.digest, state: row.state };
}

/** The folder holds what serves again: nothing is wrong with it any more. */
export async function clearFailure(registry: Registry, id: string, actor: string): Promise<void> {
  const { row, error } = registry.get(id);
  if (row.lastError === null) return;
  const mended = { ...row, lastError: null, updatedAtMs: Date.now() };
  const before = { code: error?.code, message: error?.message };
  await registry.commit(
    [{ op: 'plugin.put', row: mended }],
    [{ actor, action: 'plugin.mended', target: id, before, note: 'the folder holds what serves' }],
  );
  const { error: _gone, ...healthy } = registry.get(id);
  registry.put({ ...healthy, row: mended });
}

type Rehearsed = Awaited<ReturnType<typeof rehearse>>;

/** What did not boot cannot be rehearsed; what was accepted, or rolled back to, need not be. */
async function rehearsedOn(
  registry: Registry,
  version: Version,
  { actor, action, accepted, grants, settings: given, versionsKept }: SwapRequest,
  { booted }: Tried,
): Promise<Rehearsed> {
  if (!booted || accepted || action === 'plugin.rolled-back') return { ops: [], journal: [] };
  const settings = checkedSettings(version.manifest, given);
  const policy = registry.policy({ manifest: version.manifest, grants, settings }, version.digest);
  return rehearse(registry, { version, booted, policy, actor, versionsKept });
}

interface Tried {
  readonly booted?: Booted;
  /** Why it waits for consent. */
  readonly refused?: unknown;
}

/**
 * Plugin code boots only behind open gates; what is locked is checked as far as it goes without running.
 *
 * A plugin whose `prepare()` needs what was not granted yet can only be granted it once it is registered:
 * it is taken in, and boots with the grant.
 */
async function trial(
  registry: Registry,
  version: Version,
  grants: Permissions,
  settings: unknown,
): Promise<Tried> {
  const { manifest, digest } = version;
  if (!registry.mayBoot(version)) return {};
  const policy = registry.policy({ manifest, grants, settings }, digest);
  try {
    return { booted: await bootVersion(registry.parts.pool, version, policy) };
  } catch (error) {
    const waitsForConsent =
      registry.find(manifest.id)?.serving === undefined &&
      isNeiraError(error) &&
      error.details['cause'] === 'NEIRA_PERMISSION_DENIED' &&
      pendingConsent(manifest.permissions, grants).length > 0;
    if (waitsForConsent) return { refused: error };
    throw error;
  }
}

/**
 * The gates that the version declares, as they would be stored.
 * @throws NEIRA_CONFLICT, NEIRA_MANIFEST_INVALID when another plugin or nobody has what it names.
 */
function requirePlace(registry: Registry, manifest: Manifest): readonly GateRow[] {
  requireFreeTools(registry, manifest);
  requireFreeRoutes(registry, manifest);
  requireFreeCommands(registry, manifest);
  registry.parts.events.requireFree(manifest.id, manifest.events);
  const planned = registry.parts.gates.plan(manifest.id, manifest.gates);
  requireGate(registry, manifest, planned);
  return planned;
}

/** Tool ids are unique in a host: an event names its tool by nothing else. @throws NEIRA_CONFLICT */
function requireFreeTools(registry: Registry, manifest: Manifest): void {
  for (const id of toolsOf(manifest).keys()) {
    const holder = registry.findTool(id)?.plugin.row.id;
    if (holder !== undefined && holder !== manifest.id) {
      throw new NeiraError('NEIRA_CONFLICT', { what: 'The tool id', id, by: `plugin \`${holder}\`` });
    }
  }
}

/** @throws NEIRA_MANIFEST_INVALID when the manifest names a gate that nobody declares. */
function requireGate(registry: Registry, manifest: Manifest, planned: readonly GateRow[]): void {
  if (planned.some(({ id }) => id === manifest.gate)) return;
  try {
    registry.parts.gates.get(manifest.gate);
  } catch {
    const message = `\`${manifest.gate}\` is no gate of this host`;
    throw new NeiraError('NEIRA_MANIFEST_INVALID', {
      reason: message,
      errors: [{ path: 'gate', message, remedy: 'Name a gate that exists, or declare it under `gates`.' }],
    });
  }
}
