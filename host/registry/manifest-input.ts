/** A manifest as its author wrote it, after its schema was checked; manifest.ts writes out what is short. */
import type { GateRequirement, Scope } from '../../gates/gates.ts';
import type { CommandBehaviour } from '../base/command-line.ts';
import type { PermissionsInput } from '../base/permissions.ts';
import { isRecord, type Problem } from '../schema.ts';
import type { MailboxBounds, PluginKind, Subscription } from './manifest.ts';

export interface ManifestInput {
  readonly id: string;
  readonly version: string;
  readonly kind: PluginKind;
  readonly entry: string;
  readonly gate?: string;
  readonly title?: TextInput;
  readonly description?: TextInput;
  readonly permissions?: PermissionsInput;
  readonly subscribes?: readonly Subscription[];
  readonly publishes?: readonly string[];
  readonly limits?: Readonly<Record<string, number>>;
  readonly retry?: { readonly max?: number; readonly base_ms?: number; readonly max_ms?: number };
  readonly mailbox?: {
    readonly max?: number;
    readonly overflow?: MailboxBounds['overflow'];
    readonly max_age_h?: number;
  };
  readonly settings?: Record<string, unknown>;
  readonly ui?: { readonly buttons?: readonly ButtonInput[] };
  readonly gates?: readonly GateInput[];
  readonly routes?: readonly RouteInput[];
  readonly commands?: readonly CommandInput[];
  readonly provides?: readonly string[];
  readonly abi?: { readonly function?: string };
}

export interface RouteInput {
  readonly method: string;
  readonly path: string;
  readonly command: string;
  readonly scope?: Scope;
}

export interface CommandInput extends CommandBehaviour {
  readonly name: string;
  readonly title?: TextInput;
  readonly route: string;
  readonly arguments?: readonly string[];
}

export type TextInput = string | { readonly en?: string; readonly ru?: string };

export interface ButtonInput {
  readonly id: string;
  readonly title: TextInput;
  readonly icon?: string;
  readonly event: string;
  readonly params_schema?: Record<string, unknown>;
}

export interface GateInput {
  readonly id: string;
  readonly title: TextInput;
  readonly opens?: TextInput;
  readonly requires?: readonly (string | GateRequirement)[];
  readonly phrases?: { readonly ru: readonly string[]; readonly en: readonly string[] };
}

/** In both languages. */
export function textOf(text: TextInput): { readonly en: string; readonly ru: string } {
  if (typeof text === 'string') return { en: text, ru: text };
  return { en: text.en ?? text.ru!, ru: text.ru ?? text.en! };
}

/** Mistakes that the source's own words lead to, said better than the schema would. */
export function hints(raw: unknown): Problem[] {
  if (!isRecord(raw) || raw['kind'] !== 'process') return [];
  return [
    { path: 'kind', message: 'must be script or wasm; a program of its own joins over HTTP or the bus' },
  ];
}
