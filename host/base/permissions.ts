/** What a manifest asks, and what an administrator grants, in the one form that is compared (design §5). */

import { type HttpRule, httpPermissionNames, problemOfRule } from '../../gates/http-rules.ts';
import type { Problem } from '../schema.ts';

/** A secret, and where it may go: granted for each host by itself. */
export interface SecretPermission {
  readonly name: string;
  readonly hosts: readonly string[];
  /** Shown to the plugin in the clear. */
  readonly reveal: boolean;
}

/** An interface that a component imports of another one, whose code then runs with its permissions. */
export interface LinkPermission {
  readonly plugin: string;
  /** `acme:text/stem@1.0.0` */
  readonly interface: string;
}

export interface Permissions {
  readonly storage: readonly ('read' | 'write')[];
  readonly bus: { readonly publish: readonly string[]; readonly subscribe: readonly string[] };
  readonly io: { readonly ports: readonly string[]; readonly http: readonly HttpRule[] };
  readonly secrets: readonly SecretPermission[];
  /** To read what all plugins saved into chats; absent where it is not asked for. */
  readonly records?: readonly 'read'[];
  /** To register principals and act as one of them; absent where it is not asked for. */
  readonly principals?: readonly 'delegate'[];
  /** Absent where a component is linked to no other. */
  readonly links?: readonly LinkPermission[];
  /** HTTP calls that it answers, `POST /api/scenario/run`; absent without any. */
  readonly routes?: readonly string[];
}

export const NO_PERMISSIONS: Permissions = {
  storage: [],
  bus: { publish: [], subscribe: [] },
  io: { ports: [], http: [] },
  secrets: [],
};

/** A manifest's `permissions`, after its schema was checked. `scopes` is short for `storage`. */
export interface PermissionsInput {
  readonly storage?: readonly ('read' | 'write')[];
  readonly scopes?: readonly ('read' | 'write')[];
  readonly bus?: { readonly publish?: readonly string[]; readonly subscribe?: readonly string[] };
  readonly io?: { readonly ports?: readonly string[]; readonly http?: readonly HttpRule[] };
  /** A name is short for every host of `io.http`. */
  readonly secrets?: readonly (string | (Partial<SecretPermission> & { readonly name: string }))[];
  readonly records?: readonly 'read'[];
  readonly principals?: readonly 'delegate'[];
  readonly links?: readonly LinkPermission[];
  readonly routes?: readonly string[];
}

export function normalisePermissions(
  input: PermissionsInput,
  publishes: readonly string[] = [],
  subscribes: readonly string[] = [],
  routes: readonly string[] = [],
): Permissions {
  const unique = <Item>(items: readonly Item[]): Item[] => [...new Set(items)];
  return {
    storage: unique(input.storage ?? input.scopes ?? []),
    bus: {
      // Declaring an event under `publishes` or `subscribes` asks for the permission.
      publish: unique([...(input.bus?.publish ?? []), ...publishes]),
      subscribe: unique([...(input.bus?.subscribe ?? []), ...subscribes]),
    },
    io: { ports: unique(input.io?.ports ?? []), http: input.io?.http ?? [] },
    secrets: secretsOf(input),
    ...(input.records?.length && { records: unique(input.records) }),
    ...(input.principals?.length && { principals: unique(input.principals) }),
    ...(input.links?.length && { links: input.links }),
    // Declaring a route asks for it.
    ...(routes.length + (input.routes?.length ?? 0) > 0 && {
      routes: unique([...(input.routes ?? []), ...routes]),
    }),
  };
}

/** One entry for each name, whatever it was asked in. */
function secretsOf({ secrets = [], io }: PermissionsInput): SecretPermission[] {
  const everyHost = (io?.http ?? []).map(({ host }) => host);
  const found = new Map<string, SecretPermission>();
  for (const given of secrets) {
    const {
      name,
      hosts = [],
      reveal = false,
    } = typeof given === 'string' ? { name: given, hosts: everyHost } : given;
    const before = found.get(name);
    const all = [...(before?.hosts ?? []), ...hosts].map((host) => host.toLowerCase());
    found.set(name, { name, hosts: [...new Set(all)].sort(), reveal: reveal || (before?.reveal ?? false) });
  }
  return [...found.values()];
}

/** Each permission by the name that `decide()` asks about: `storage.write`, `bus.publish:a.b`, `io.send:console`. */
export function permissionNames(permissions: Permissions): string[] {
  return [
    ...permissions.storage.map((each) => `storage.${each}`),
    ...permissions.bus.publish.map((each) => `bus.publish:${each}`),
    ...permissions.bus.subscribe.map((each) => `bus.subscribe:${each}`),
    ...permissions.io.ports.map((each) => `io.send:${each}`),
    ...new Set(permissions.io.http.flatMap(httpPermissionNames)),
    ...permissions.secrets.flatMap(({ name, hosts, reveal }) => [
      ...hosts.map((host) => `secrets:${name}@${host}`),
      ...(reveal ? [`secrets.reveal:${name}`] : []),
    ]),
    ...(permissions.records ?? []).map((each) => `records.${each}`),
    ...(permissions.principals ?? []).map((each) => `principals.${each}`),
    ...(permissions.links ?? []).map(linkName),
    ...(permissions.routes ?? []).map((each) => `http.route:${each}`),
  ];
}

/** By which `decide()` is asked about a link. */
export function linkName(link: LinkPermission): string {
  return `link:${link.plugin}:${link.interface}`;
}

/** Each of them is looked through at every request. */
const MAX_HTTP_PERMISSIONS = 1000;

/** What the schema of a manifest cannot say of its rules. */
export function httpProblems({ io }: Permissions): Problem[] {
  const problems = io.http.flatMap((rule, index) => {
    const message = problemOfRule(rule);
    return message === undefined ? [] : [{ path: `permissions.io.http[${index}].host`, message }];
  });
  if (problems.length > 0 || io.http.flatMap(httpPermissionNames).length <= MAX_HTTP_PERMISSIONS)
    return problems;
  const message = `asks for more than ${MAX_HTTP_PERMISSIONS} pairs of method and path`;
  return [{ path: 'permissions.io.http', message }];
}

/** What is asked and not granted: an update that asks more needs consent again. */
export function pendingConsent(asked: Permissions, granted: Permissions): string[] {
  const have = new Set(permissionNames(granted));
  return permissionNames(asked).filter((name) => !have.has(name));
}

/** Whether anything leaves the plugin: such a plugin runs dry for non-administrators in safe mode. */
export function writesAnything(permissions: Permissions): boolean {
  const { storage, bus, io, secrets, principals = [] } = permissions;
  // What its principals were granted it does as well.
  return [storage.includes('write'), bus.publish, io.ports, io.http, secrets, principals].some((each) =>
    typeof each === 'boolean' ? each : each.length > 0,
  );
}

/** What of `granted` is asked for: the rest of it is forgotten, so that asking for it again needs consent again. */
export function grantsWithin(granted: Permissions, asked: Permissions): Permissions {
  const names = new Set(permissionNames(asked));
  const keep = (prefix: string) => (each: string) => names.has(`${prefix}${each}`);
  return {
    storage: granted.storage.filter(keep('storage.')),
    bus: {
      publish: granted.bus.publish.filter(keep('bus.publish:')),
      subscribe: granted.bus.subscribe.filter(keep('bus.subscribe:')),
    },
    io: {
      ports: granted.io.ports.filter(keep('io.send:')),
      http: granted.io.http.filter((each) =>
        permissionNames({ ...NO_PERMISSIONS, io: { ports: [], http: [each] } }).every((name) =>
          names.has(name),
        ),
      ),
    },
    secrets: granted.secrets.flatMap(({ name, hosts, reveal }) => {
      const kept = {
        name,
        hosts: hosts.filter((host) => names.has(`secrets:${name}@${host}`)),
        reveal: reveal && names.has(`secrets.reveal:${name}`),
      };
      return kept.hosts.length > 0 || kept.reveal ? [kept] : [];
    }),
    ...(granted.records?.some(keep('records.')) && { records: granted.records }),
  };
}
