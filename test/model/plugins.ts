/** The plugins of the histories: what they hear and how large their mailboxes are. */
import type { AdminOp, PluginRow } from '../../host/store/records.ts';
import type { Serving } from '../../host/turn.ts';
import type { PluginPolicy } from '../../host/turn-context.ts';

export interface ModelPlugin {
  readonly id: string;
  readonly subscribes: readonly {
    readonly event: string;
    readonly key?: string;
    readonly group?: string;
  }[];
  readonly mailbox: {
    readonly max: number;
    readonly overflow: 'slow' | 'drop_newest' | 'drop_oldest';
    readonly maxAgeH: number;
  };
}

const KEY = '$.payload.key';
const WEEK_H = 168;
const WIDE = { max: 10_000, overflow: 'slow', maxAgeH: WEEK_H } as const;

export const PLUGINS: readonly ModelPlugin[] = [
  { id: 'all', subscribes: [{ event: 'shop.>', key: KEY }], mailbox: WIDE },
  { id: 'narrow', subscribes: [{ event: 'shop.order@1', key: KEY }], mailbox: { ...WIDE, max: 5 } },
  {
    id: 'newest',
    subscribes: [{ event: 'shop.order' }],
    mailbox: { max: 3, overflow: 'drop_newest', maxAgeH: WEEK_H },
  },
  {
    id: 'oldest',
    subscribes: [{ event: 'shop.*', key: KEY }],
    mailbox: { max: 6, overflow: 'drop_oldest', maxAgeH: WEEK_H },
  },
  {
    id: 'worker1',
    subscribes: [{ event: 'job.run', group: 'workers' }],
    mailbox: { ...WIDE, max: 4 },
  },
  {
    id: 'worker2',
    subscribes: [{ event: 'job.run', group: 'workers' }],
    mailbox: { ...WIDE, maxAgeH: 1 },
  },
];

/** What a plugin may subscribe to while it runs. */
export const DYNAMIC = { name: 'news', pattern: 'news.*', version: 1 } as const;

const PERMISSIONS = { bus: { subscribe: ['shop.>', 'job.>', 'news.>'] } };

/** Registers a version of the plugin and says in which state it is. */
export function registration(plugin: ModelPlugin, state: PluginRow['state'], version: number): AdminOp[] {
  const digest = `${plugin.id}-${version}`;
  const manifest = JSON.stringify({ ...plugin, permissions: PERMISSIONS, buttons: [] });
  return [
    {
      op: 'version.put',
      keep: 2,
      row: {
        plugin: plugin.id,
        digest,
        version: `1.0.${version}`,
        manifest,
        files: '{}',
        bundle: '',
        sourceMap: '',
        createdAtMs: 0,
        signedBy: null,
      },
    },
    {
      op: 'plugin.put',
      row: {
        id: plugin.id,
        kind: 'script',
        state,
        digest,
        path: '',
        origin: 'upload',
        sourceDigest: digest,
        grants: JSON.stringify(PERMISSIONS),
        settings: '{}',
        reason: null,
        lastError: null,
        registeredAtMs: 0,
        updatedAtMs: 0,
      },
    },
  ];
}

export const RETRIES = 2;

export function servingOf(id: string, generation: number): Serving {
  const policy: PluginPolicy = {
    plugin: id,
    version: `v${generation}`,
    gate: { id: 'g', stage: 'stable' },
    asked: [],
    granted: [],
    publishes: [],
    events: {},
    retry: { max: RETRIES, baseMs: 20, maxMs: 60 },
    limits: {
      turnMs: 200,
      waitMs: 1000,
      cpuMs: 50,
      memoryMb: 32,
      hostCalls: 100,
      publishes: 10,
      outputBytes: 1000,
      logBytes: 1000,
      storageMb: 10,
      requests: 20,
      requestsPerMinute: 120,
      responseBytes: 100_000,
    },
    settings: '{}',
  };
  return { id, state: { id, state: 'enabled' }, generation, policy, concurrency: 4, writes: true };
}
