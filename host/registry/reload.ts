/**
 * The one path of a save: folder → build → boot → commit → swap. A reload that was asked for, a saved
 * file and a new registration all come through here; a rollback joins at the boot.
 */
import { NeiraError, toShape } from '../errors.ts';
import type { AdminOp, GateRow, JournalDraft, PluginRow } from '../store/records.ts';
import { type Booted, bootVersion, storedForm, type Version } from './candidate.ts';
import { type LivePlugin, parseRow, toolsOf } from './live-plugin.ts';
import { ENGINE_GATES, type Manifest } from './manifest.ts';
import { type Permissions, pendingConsent } from './permissions.ts';
import { checkedSettings } from './policy.ts';
import type { Registry } from './registry.ts';

export interface SwapRequest {
  readonly actor: string;
  readonly action: 'plugin.registered' | 'plugin.updated' | 'plugin.reloaded' | 'plugin.rolled-back';
  readonly state: PluginRow['state'];
  readonly grants: Permissions;
  readonly settings: unknown;
  readonly path: string;
  readonly origin: PluginRow['origin'];
  /** Digest of the folder; differs from the version's own digest in a rollback. */
  readonly sourceDigest: string;
  readonly versionsKept: number;
  /** Runs after the boot and before the commit, for what has to be in place by then. */
  beforeCommit?(): void;
}

/**
 * Boots `version`, commits it, and puts it in front of its predecessor.
 * @throws the failing stage's error; then nothing was changed.
 */
export async function swapTo(
  registry: Registry,
  version: Version,
  request: SwapRequest,
): Promise<LivePlugin> {
  const { manifest, digest } = version;
  const { gates } = registry.parts;
  const before = registry.find(manifest.id);
  requireFreeTools(registry, manifest);
  const planned = gates.plan(manifest.id, manifest.gates);
  const dropped = gates.dropped(manifest.id, planned);
  requireGate(registry, manifest, planned);
  const settings = checkedSettings(manifest, request.settings);
  const booted = await trial(registry, version, request.grants, settings);
  request.beforeCommit?.();

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
    settings: JSON.stringify(settings),
    reason: null,
    lastError: null,
    registeredAtMs: before?.row.registeredAtMs ?? nowMs,
    updatedAtMs: nowMs,
  };
  const ops: AdminOp[] = [
    ...[...stored.blobs].map(
      ([name, bytes]): AdminOp => ({ op: 'blob.put', digest: name, bytes: bytes.toString('base64') }),
    ),
    { op: 'plugin.put', row },
    { op: 'version.put', row: stored.row, keep: request.versionsKept },
    ...planned.map((gate): AdminOp => ({ op: 'gate.put', row: gate })),
    ...dropped.map((id): AdminOp => ({ op: 'gate.delete', id })),
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
  await registry.commit(ops, [draft]);
  gates.adopt(planned, dropped);

  const live: LivePlugin = parseRow(row, stored.row);
  if (row.state === 'enabled' && booted && registry.mayBoot(live))
    registry.install(live, booted, version.sourceMap);
  else {
    registry.retire(manifest.id);
    registry.put(live);
  }
  return registry.get(manifest.id);
}

/** Keeps the failure of a save or reload where its author looks: API, journal, log. The old version serves on. */
export async function recordFailure(
  registry: Registry,
  id: string,
  actor: string,
  error: unknown,
): Promise<void> {
  const noted = registry.noteError(id, error);
  const plugin = registry.find(id);
  if (!plugin) return;
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
        note: noted.message,
      },
    ],
  );
  registry.put({ ...registry.get(id), row });
}

export function summaryOf({ row, version }: LivePlugin): Record<string, unknown> {
  return { version: version.version, digest: row.digest, state: row.state };
}

/** Plugin code boots only behind open gates; what is locked is checked as far as it goes without running. */
async function trial(
  registry: Registry,
  version: Version,
  grants: Permissions,
  settings: unknown,
): Promise<Booted | undefined> {
  const { manifest, digest } = version;
  if (!registry.parts.gates.isOpen(engineGate(manifest))) return undefined;
  return bootVersion(registry.parts.pool, version, registry.policy({ manifest, grants, settings }, digest));
}

function engineGate({ kind }: Manifest): string {
  return ENGINE_GATES[kind];
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
