/**
 * The gates of this host: what is declared, how far each was opened, and who may move it.
 *
 * Declarations come from gates.yaml and from plugins; stages from the store. A gate that the store does
 * not know is locked: that is the embryo (MIS-08, X-25).
 */
import { decide, type GateView } from '../../gates/decide.ts';
import {
  findGate,
  type GateDeclaration,
  isOpen,
  type Measured,
  type Mode,
  matchPhrase,
  missingRequirements,
  type PhraseMatch,
  type PromotionSignal,
  promotionSignals,
  type Scope,
  STAGES,
  type Stage,
} from '../../gates/gates.ts';
import { type ErrorCode, NeiraError } from '../errors.ts';
import type { Ack, AdminRecord, GateRow, JournalDraft } from '../store/records.ts';
import { declareOwnGate } from './gate-catalogue.ts';
import { hostEvent } from './host-event.ts';
import type { OwnGate } from './manifest.ts';

export interface GateStore {
  gates(): readonly GateRow[];
  submit(record: AdminRecord): Promise<Ack>;
}

export interface GateActor {
  readonly actor: string;
  readonly scope: Scope;
  readonly mode: Mode;
}

export interface GateState {
  readonly declaration: GateDeclaration;
  readonly stage: Stage;
  readonly sinceMs: number;
  /** Plugin that brought it; null for a gate of the host. */
  readonly declaredBy: string | null;
}

export class GateService {
  readonly #store: GateStore;
  readonly #own: readonly GateDeclaration[];
  readonly #declared = new Map<string, { readonly declaration: GateDeclaration; readonly plugin: string }>();
  readonly #rows = new Map<string, GateRow>();
  readonly #bootedAtMs = Date.now();
  readonly #listeners: ((gate: string) => void)[] = [];

  constructor(declarations: readonly GateDeclaration[], store: GateStore) {
    this.#own = declarations;
    this.#store = store;
    for (const row of store.gates()) this.#keep(row);
  }

  /** Called after a gate moved, with its id. */
  onChange(listener: (gate: string) => void): void {
    this.#listeners.push(listener);
  }

  list(): readonly GateState[] {
    return this.#all().map((declaration) => this.#stateOf(declaration));
  }

  get declarations(): readonly GateDeclaration[] {
    return this.#all();
  }

  /** @throws NEIRA_NOT_FOUND */
  get(name: string): GateState {
    const declaration = findGate(name, this.#all());
    if (!declaration) throw new NeiraError('NEIRA_NOT_FOUND', { what: 'gate', id: name });
    return this.#stateOf(declaration);
  }

  /** A gate as decisions see it; one that nobody declares is locked. */
  view(name: string): GateView {
    const id = findGate(name, this.#all())?.id ?? name;
    return { id, stage: this.#rows.get(id)?.stage ?? 'locked' };
  }

  isOpen(name: string): boolean {
    return isOpen(this.view(name).stage);
  }

  missing(state: GateState): readonly { readonly gate: string; readonly stage: Stage }[] {
    return missingRequirements(state.declaration, this.#stages());
  }

  signals(state: GateState, measured: Measured): readonly PromotionSignal[] {
    return promotionSignals(state.declaration, measured);
  }

  matchPhrase(text: string): PhraseMatch {
    return matchPhrase(text, this.#all());
  }

  /**
   * Moves a gate. Going down is locking and always open to administrators; going up needs what the gate
   * requires, or `force`, which is journaled.
   * @throws NEIRA_FORBIDDEN, NEIRA_SAFE_MODE, NEIRA_GATE_REQUIRES, NEIRA_STORE_FAILED
   */
  async set(by: GateActor, name: string, stage: Stage, force: boolean): Promise<GateState> {
    const state = this.get(name);
    const { id } = state.declaration;
    const down = STAGES.indexOf(stage) <= STAGES.indexOf(state.stage);
    const missing = this.missing(state);
    const forced = !down && force && missing.length > 0;
    const decision = decide({
      about: 'change',
      operation: down ? 'gate.lock' : forced ? 'gate.force' : 'gate.open',
      gate: { id, stage: state.stage },
      missing,
      mode: by.mode,
      caller: by.scope,
    });
    if (decision.verdict !== 'run') {
      throw new NeiraError((decision.code ?? 'NEIRA_INTERNAL') as ErrorCode, { ...decision.details });
    }
    if (stage === state.stage) return state;
    const row: GateRow = {
      id,
      stage,
      sinceMs: Date.now(),
      declaredBy: state.declaredBy,
      declaration: state.declaredBy === null ? null : JSON.stringify(state.declaration),
    };
    const draft: JournalDraft = {
      actor: by.actor,
      action: stage === 'locked' ? 'gate.locked' : 'gate.opened',
      target: id,
      before: { stage: state.stage },
      after: { stage },
      ...(forced && {
        note: `forced; still required: ${missing.map((need) => `${need.gate} ${need.stage}`).join(', ')}`,
      }),
    };
    const ops = [{ op: 'gate.put', row }] as const;
    requireAck(
      await this.#store.submit({ kind: 'admin', ops, journal: [draft], events: [hostEvent(draft)] }),
    );
    this.#keep(row);
    for (const listener of this.#listeners) listener(id);
    return this.get(id);
  }

  /**
   * What a plugin's own gates become; nothing is changed yet. A gate that the plugin declared before keeps
   * its stage. @throws NEIRA_CONFLICT, NEIRA_MANIFEST_INVALID
   */
  plan(plugin: string, gates: readonly OwnGate[]): readonly GateRow[] {
    const known = this.#all().filter(({ id }) => this.#declared.get(id)?.plugin !== plugin);
    const planned: GateRow[] = [];
    for (const gate of gates) {
      const declaration = declareOwnGate(gate, known);
      known.push(declaration);
      const row = this.#rows.get(declaration.id);
      planned.push({
        id: declaration.id,
        stage: row?.stage ?? 'locked',
        sinceMs: row?.sinceMs ?? Date.now(),
        declaredBy: plugin,
        declaration: JSON.stringify(declaration),
      });
    }
    return planned;
  }

  /** Gates that the plugin declared and `planned` no longer holds. */
  dropped(plugin: string, planned: readonly GateRow[]): readonly string[] {
    const kept = new Set(planned.map(({ id }) => id));
    return [...this.#declared]
      .filter(([id, own]) => own.plugin === plugin && !kept.has(id))
      .map(([id]) => id);
  }

  /** Takes over what was planned, after its commit. */
  adopt(planned: readonly GateRow[], dropped: readonly string[]): void {
    for (const id of dropped) {
      this.#declared.delete(id);
      this.#rows.delete(id);
    }
    for (const row of planned) this.#keep(row);
  }

  #keep(row: GateRow): void {
    this.#rows.set(row.id, row);
    if (row.declaredBy !== null && row.declaration !== null) {
      const declaration = JSON.parse(row.declaration) as GateDeclaration;
      this.#declared.set(row.id, { declaration, plugin: row.declaredBy });
    }
  }

  #all(): GateDeclaration[] {
    return [...this.#own, ...[...this.#declared.values()].map(({ declaration }) => declaration)];
  }

  #stages(): ReadonlyMap<string, Stage> {
    return new Map([...this.#rows].map(([id, { stage }]) => [id, stage]));
  }

  #stateOf(declaration: GateDeclaration): GateState {
    const row = this.#rows.get(declaration.id);
    return {
      declaration,
      stage: row?.stage ?? 'locked',
      sinceMs: row?.sinceMs ?? this.#bootedAtMs,
      declaredBy: this.#declared.get(declaration.id)?.plugin ?? null,
    };
  }
}

/** An administrative change either committed or nothing happened. @throws what the writer said */
export function requireAck(ack: Ack): Extract<Ack, { ok: true }> {
  if (ack.ok) return ack;
  if (ack.conflict || ack.gone || ack.cut)
    throw new NeiraError('NEIRA_STORE_FAILED', {
      reason: 'the answer is not one of an administrative change',
    });
  throw new NeiraError(ack.error.code, ack.error.details);
}
