import manifestSchema from '../../abi/manifest/v1/schema.json' with { type: 'json' };
import type { GateRequirement, LocalText } from '../../gates/gates.ts';
import { httpProblems, normalisePermissions, type Permissions } from '../base/permissions.ts';
import { HOST_NAMESPACES, isHostEvent } from '../bus/envelope.ts';
import type { EventDefinition } from '../bus/event-registry.ts';
import { compileFilter } from '../bus/filter.ts';
import { parseSingularPath } from '../bus/key.ts';
import type { RetryPolicy } from '../bus/retry.ts';
import { parseSubscriptionEvent } from '../bus/subject.ts';
import { isNeiraError, NeiraError } from '../errors.ts';
import { compilePluginSchema, compileSchema, isRecord, type Problem, parseYaml, summary } from '../schema.ts';
import { type ContributedRoute, routeName, routesOf } from './contributed.ts';
import { type ContributedCommand, commandsOf } from './contributed-commands.ts';
import { normaliseEntry } from './entry.ts';
import { hints, type ManifestInput, textOf } from './manifest-input.ts';
import { describesObject, expandParamsSchema } from './params-schema.ts';
import { linksOfScripts, unknownPorts, uselessSecrets } from './permission-problems.ts';

export type { Permissions } from '../base/permissions.ts';
export { keyOf } from '../bus/key.ts';

export type PluginKind = 'script' | 'wasm';

export interface Limits {
  readonly turnMs: number;
  readonly cpuMs: number;
  readonly waitMs: number;
  readonly memoryMb: number;
  readonly concurrency: number;
  readonly hostCalls: number;
  readonly publishes: number;
  readonly outputKb: number;
  readonly logKb: number;
  readonly storageMb: number;
  /** Principals that it may have registered; a manifest stored before there were any says nothing of them. */
  readonly principals?: number;
  readonly requests: number;
  readonly requestsPerMinute: number;
  readonly responseKb: number;
}

export interface Subscription {
  /** `ui.pencil.draw@1`; a pattern may be without a version and then hears all of them. */
  readonly event: string;
  /** RFC 9535 singular path; see bus/key.ts. */
  readonly key?: string;
  /** CEL over `event`, the envelope. */
  readonly filter?: string;
  /** Queue group. */
  readonly group?: string;
}

/** Bounds of what waits for the plugin. */
export interface MailboxBounds {
  readonly max: number;
  readonly overflow: 'slow' | 'drop_newest' | 'drop_oldest';
  readonly maxAgeH: number;
}

export interface Button {
  readonly id: string;
  readonly title: LocalText;
  readonly icon: string | null;
  /** Without its version, as the frontend sends it. */
  readonly event: string;
  /** JSON Schema of `params`. */
  readonly paramsSchema: Readonly<Record<string, unknown>>;
}

export interface OwnGate {
  readonly id: string;
  readonly title: LocalText;
  readonly opens: LocalText;
  readonly requires: readonly GateRequirement[];
  readonly phrases: { readonly ru: readonly string[]; readonly en: readonly string[] };
}

/** A manifest with every default filled in and every short form written out. */
export interface Manifest {
  readonly id: string;
  readonly version: string;
  readonly kind: PluginKind;
  /** Relative to the plugin's folder. */
  readonly entry: string;
  /** As written, so possibly an alias; the engine's gate when the author names none. */
  readonly gate: string;
  readonly title: LocalText;
  readonly description: LocalText | null;
  readonly permissions: Permissions;
  /** Those of buttons included. */
  readonly subscribes: readonly Subscription[];
  /** `annotation.saved@1` */
  readonly publishes: readonly string[];
  readonly limits: Limits;
  readonly retry: RetryPolicy & { readonly backoff: 'exponential' };
  readonly mailbox: MailboxBounds;
  /** JSON Schema of the settings, or null. */
  readonly settings: Readonly<Record<string, unknown>> | null;
  readonly buttons: readonly Button[];
  readonly gates: readonly OwnGate[];
  /** Interfaces that other components may link to. */
  readonly provides: readonly string[];
  /** HTTP calls that it contributes. */
  readonly routes: readonly ContributedRoute[];
  /** Command lines that lead to them. */
  readonly commands: readonly ContributedCommand[];
  /** Events that lie in the plugin's folder; the manifest itself does not name them. */
  readonly events: readonly EventDefinition[];
}

export interface ManifestProblem extends Problem {
  readonly remedy: string;
}

export const ENGINE_GATES: Readonly<Record<PluginKind, string>> = {
  script: 'runtime_scripting',
  wasm: 'runtime_wasm_plugins',
};

const { retry: RETRY, mailbox: MAILBOX } = manifestSchema.properties;

export const DEFAULT_RETRY: Manifest['retry'] = {
  max: RETRY.properties.max.default,
  backoff: 'exponential',
  baseMs: RETRY.properties.base_ms.default,
  maxMs: RETRY.properties.max_ms.default,
};

export const DEFAULT_MAILBOX: MailboxBounds = {
  max: MAILBOX.properties.max.default,
  overflow: 'slow',
  maxAgeH: MAILBOX.properties.max_age_h.default,
};

/**
 * What the contract names and this version of the host does not offer or enforce. A limit that nothing
 * enforces is refused at load: a promise must not look kept. Remove a line when its part is built.
 */
export const NOT_YET: readonly { readonly path: readonly string[]; readonly reason: string }[] = [
  { path: ['web'], reason: 'this version serves no web files of plugins' },
];

export interface ManifestOptions {
  /** Paths in the plugin's folder: the entry must be one of them. */
  readonly files?: Iterable<string>;
}

/**
 * The manifest in `source`: a YAML or JSON text, or the value that one of them holds.
 * @throws NEIRA_MANIFEST_INVALID with every problem under `errors: [{path, message, remedy}]`.
 */
export function parseManifest(source: string | object, options: ManifestOptions = {}): Manifest {
  const raw = typeof source === 'string' ? readText(source) : source;
  const problems: Problem[] = [...hints(raw), ...notYet(raw)];
  const hinted = new Set(problems.map(({ path }) => path));
  problems.push(
    ...compileSchema(manifestSchema)
      .problems(raw)
      .filter(({ path }) => !hinted.has(path)),
  );
  if (problems.length > 0) throw invalid(problems);
  // The schema was checked, so the shape is the input's.
  const manifest = normalise(raw as ManifestInput, problems, options);
  problems.push(
    ...unknownPorts(manifest),
    ...httpProblems(manifest.permissions),
    ...uselessSecrets(manifest),
    ...linksOfScripts(manifest),
  );
  if (problems.length > 0) throw invalid(problems);
  return manifest;
}

function normalise(input: ManifestInput, problems: Problem[], options: ManifestOptions): Manifest {
  const publishes = [...new Set((input.publishes ?? []).map(withVersion))];
  const asked = input.permissions ?? {};
  if (asked.scopes !== undefined && asked.storage !== undefined) {
    problems.push({ path: 'permissions.scopes', message: 'is short for `storage`; give one of the two' });
  }
  for (const [list, path] of [
    [publishes, 'publishes'],
    [asked.bus?.publish ?? [], 'permissions.bus.publish'],
  ] as const) {
    for (const [index, event] of list.entries()) {
      if (isHostEvent(event)) {
        problems.push({
          path: `${path}[${index}]`,
          message: `is an event that only the host publishes: ${HOST_NAMESPACES.join(', ')}`,
        });
      }
    }
  }
  const call = input.abi?.function;
  if (call !== undefined && !/^handle(\s*\([^)]*\)\s*(->\s*\w+\s*)?)?$/.test(call)) {
    problems.push({
      path: 'abi.function',
      message: 'must be `handle(input_json) -> output_json`: the host calls nothing else',
    });
  }
  if (input.settings !== undefined) checkSchema(input.settings, 'settings', problems);
  const buttons = buttonsOf(input, problems);
  const title = textOf(input.title ?? input.id);
  const subscribes = subscriptionsOf(input, buttons, problems);
  const own = new Set(buttons.map(({ event }) => event));
  const routes = routesOf(input.routes ?? [], subscribes, problems);
  return {
    id: input.id,
    version: input.version,
    kind: input.kind,
    entry: normaliseEntry(input, options.files === undefined ? undefined : new Set(options.files), problems),
    gate: input.gate ?? ENGINE_GATES[input.kind],
    title,
    description: input.description === undefined ? null : textOf(input.description),
    permissions: normalisePermissions(
      asked,
      publishes.map((event) => event.split('@')[0]!),
      // What its own buttons send comes to it by the tool.
      subscribes.map(({ event }) => event.split('@')[0]!).filter((event) => !own.has(event)),
      routes.map(routeName),
    ),
    subscribes,
    publishes,
    limits: limitsOf(input.limits ?? {}),
    retry: retryOf(input.retry ?? {}),
    mailbox: {
      max: input.mailbox?.max ?? DEFAULT_MAILBOX.max,
      overflow: input.mailbox?.overflow ?? DEFAULT_MAILBOX.overflow,
      maxAgeH: input.mailbox?.max_age_h ?? DEFAULT_MAILBOX.maxAgeH,
    },
    settings: input.settings ?? null,
    buttons,
    gates: gatesOf(input, problems),
    provides: input.provides ?? [],
    routes,
    commands: commandsOf(input.commands ?? [], routes, problems),
    events: [],
  };
}

function retryOf(given: NonNullable<ManifestInput['retry']>): Manifest['retry'] {
  const baseMs = given.base_ms ?? DEFAULT_RETRY.baseMs;
  return {
    max: given.max ?? DEFAULT_RETRY.max,
    backoff: 'exponential',
    baseMs,
    maxMs: Math.max(given.max_ms ?? DEFAULT_RETRY.maxMs, baseMs),
  };
}

function limitsOf(given: Readonly<Record<string, number>>): Limits {
  const known: Readonly<Record<string, { default: number }>> = manifestSchema.properties.limits.properties;
  const names = Object.entries(known).map(([name, limit]) => [
    name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    given[name] ?? limit.default,
  ]);
  return Object.fromEntries(names) as Limits;
}

function buttonsOf(input: ManifestInput, problems: Problem[]): Button[] {
  const seen = new Set<string>();
  return (input.ui?.buttons ?? []).map((button, index) => {
    const path = `ui.buttons[${index}]`;
    if (seen.has(button.id)) problems.push({ path: `${path}.id`, message: 'is there twice' });
    seen.add(button.id);
    const params = expandParamsSchema(button.params_schema ?? {}, `${path}.params_schema`);
    if (params.problems.length > 0) problems.push(...params.problems);
    else checkSchema(params.schema, `${path}.params_schema`, problems);
    return {
      id: button.id,
      title: textOf(button.title),
      icon: button.icon ?? null,
      event: button.event,
      paramsSchema: params.schema,
    };
  });
}

/** a button's event is a subscription, unless the author subscribes to it already. */
function subscriptionsOf(
  input: ManifestInput,
  buttons: readonly Button[],
  problems: Problem[],
): Subscription[] {
  const subscriptions = new Map<string, Subscription>();
  for (const [index, { event, ...rest }] of (input.subscribes ?? []).entries()) {
    const name = /[*>]/.test(event) ? event : withVersion(event);
    const path = `subscribes[${index}]`;
    if (subscriptions.has(name)) problems.push({ path: `${path}.event`, message: 'is there twice' });
    check(() => parseSubscriptionEvent(name), `${path}.event`, problems);
    if (rest.key !== undefined) check(() => parseSingularPath(rest.key!), `${path}.key`, problems);
    if (rest.filter !== undefined) check(() => compileFilter(rest.filter!), `${path}.filter`, problems);
    subscriptions.set(name, { event: name, ...rest });
  }
  for (const { event } of buttons) {
    const name = withVersion(event);
    if (!subscriptions.has(name)) subscriptions.set(name, { event: name });
  }
  return [...subscriptions.values()];
}

/** What a part of the bus would refuse later, refused here, with its place. */
function check(parse: () => unknown, path: string, problems: Problem[]): void {
  try {
    parse();
  } catch (error) {
    const message = isNeiraError(error) ? String(error.details['reason']) : (error as Error).message;
    problems.push({ path, message });
  }
}

function gatesOf(input: ManifestInput, problems: Problem[]): OwnGate[] {
  const seen = new Set<string>();
  return (input.gates ?? []).map((gate, index) => {
    if (seen.has(gate.id)) problems.push({ path: `gates[${index}].id`, message: 'is there twice' });
    seen.add(gate.id);
    const requires = (gate.requires ?? []).map(
      (need): GateRequirement => (typeof need === 'string' ? { gate: need, stage: 'experimental' } : need),
    );
    if (requires.some((need) => need.gate === gate.id)) {
      problems.push({ path: `gates[${index}].requires`, message: 'names the gate itself' });
    }
    const title = textOf(gate.title);
    return {
      id: gate.id,
      title,
      opens: gate.opens === undefined ? title : textOf(gate.opens),
      requires,
      phrases: gate.phrases ?? { ru: [], en: [] },
    };
  });
}

function checkSchema(schema: Record<string, unknown>, path: string, problems: Problem[]): void {
  if (!describesObject(schema)) {
    problems.push({ path: `${path}.type`, message: 'must be object' });
    return;
  }
  try {
    compilePluginSchema(schema, path);
  } catch (error) {
    if (!isNeiraError(error)) throw error;
    for (const each of error.details['errors'] as Problem[]) {
      problems.push({ path: each.path === '$' ? path : `${path}.${each.path}`, message: each.message });
    }
  }
}

function withVersion(event: string): string {
  return event.includes('@') ? event : `${event}@1`;
}

/** What of a manifest this version of the host does not offer. */
export function notYet(raw: unknown): Problem[] {
  return NOT_YET.flatMap(({ path, reason }) =>
    find(raw, path, '').map((at) => ({ path: at, message: `is not offered yet: ${reason}` })),
  );
}

/** Where `path` holds something in `value`; an empty list or `false` asks for nothing. */
function find(value: unknown, [name, ...rest]: readonly string[], at: string): string[] {
  if (name === undefined) {
    const asksNothing =
      value === undefined || value === false || (Array.isArray(value) && value.length === 0);
    return asksNothing ? [] : [at];
  }
  if (name === '*')
    return Array.isArray(value) ? value.flatMap((each, index) => find(each, rest, `${at}[${index}]`)) : [];
  return isRecord(value) ? find(value[name], rest, at === '' ? name : `${at}.${name}`) : [];
}

function readText(text: string): unknown {
  try {
    return parseYaml(text, 'the manifest');
  } catch (error) {
    if (!isNeiraError(error)) throw error;
    const { reason, errors, line, column } = error.details;
    const problems = (errors as Problem[]).map((each) => ({
      ...each,
      remedy: 'Write it as YAML 1.2 or JSON.',
    }));
    throw new NeiraError('NEIRA_MANIFEST_INVALID', { reason, errors: problems, line, column });
  }
}

function invalid(problems: readonly Problem[]): NeiraError {
  const errors = problems.map((each): ManifestProblem => ({ ...each, remedy: remedyOf(each.message) }));
  return new NeiraError('NEIRA_MANIFEST_INVALID', { reason: summary(problems), errors });
}

function remedyOf(message: string): string {
  if (message.includes('not a known field')) return 'Remove it, or correct its spelling.';
  if (message === 'is missing') return 'Add it.';
  if (message.includes('not offered yet')) return 'Remove it from the manifest for this version of the host.';
  if (message.includes('twice')) return 'Keep one of them.';
  return 'Correct the value; abi/manifest/v1/schema.json describes it.';
}
