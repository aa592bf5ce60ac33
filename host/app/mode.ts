/** Normal or safe mode: kept in the store, so that a restart stays in it; `--safe` boots into it. */
import type { Mode } from '../../gates/gates.ts';
import { requireAck } from '../registry/gate-service.ts';
import type { Ack, AdminRecord } from '../store/records.ts';

export interface ModeStore {
  settings(name: string): string | undefined;
  submit(record: AdminRecord): Promise<Ack>;
}

interface StoredMode {
  readonly mode: Mode;
  readonly since: string;
  readonly reason?: string;
}

export class HostMode {
  readonly #store: ModeStore;
  #state: StoredMode;
  readonly #listeners: (() => void)[] = [];

  constructor(store: ModeStore) {
    this.#store = store;
    const stored = store.settings('mode');
    this.#state =
      stored === undefined
        ? { mode: 'normal', since: new Date().toISOString() }
        : (JSON.parse(stored) as StoredMode);
  }

  get current(): Mode {
    return this.#state.mode;
  }

  /** Called after the mode changed. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  view(): StoredMode {
    return this.#state;
  }

  async set(actor: string, mode: Mode, reason?: string): Promise<void> {
    if (mode === this.#state.mode) return;
    const state: StoredMode = {
      mode,
      since: new Date().toISOString(),
      ...(reason !== undefined && { reason }),
    };
    const entry = {
      actor,
      action: `mode.${mode}`,
      target: 'host',
      before: { mode: this.#state.mode },
      after: { mode },
    };
    requireAck(
      await this.#store.submit({
        kind: 'admin',
        ops: [{ op: 'setting.put', name: 'mode', value: JSON.stringify(state) }],
        journal: [reason === undefined ? entry : { ...entry, note: reason }],
      }),
    );
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}
