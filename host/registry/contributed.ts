/** HTTP calls that a plugin contributes: what its manifest may say of them (contract, "A script plugin"). */
import type { Scope } from '../../gates/gates.ts';
import { NeiraError } from '../errors.ts';
import type { Problem } from '../schema.ts';
import type { Manifest } from './manifest.ts';
import type { RouteInput } from './manifest-input.ts';
import type { Registry } from './registry.ts';

export interface ContributedRoute {
  readonly method: string;
  /** `/api/scenario/runs/:id` */
  readonly path: string;
  /** `scenario.run@1`, which the plugin handles. */
  readonly command: string;
  readonly scope: Scope;
}

/** Of the host. */
const RESERVED = ['/api/neira', '/metrics', '/docs', '/healthz', '/openapi.json', '/ui'];
const PATH = /^(?:\/(?:[A-Za-z0-9_~-][A-Za-z0-9_.~-]*|:[a-z][a-z0-9_]*))+$/;
const COMMAND = /^[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)+(?:@[1-9]\d{0,3})?$/;

export function routesOf(
  given: readonly RouteInput[],
  subscribes: Manifest['subscribes'],
  problems: Problem[],
): readonly ContributedRoute[] {
  const seen = new Set<string>();
  return given.map(({ method, path, command: named, scope }, index) => {
    const at = `routes[${index}]`;
    const command = named.includes('@') ? named : `${named}@1`;
    if (!PATH.test(path))
      problems.push({ path: `${at}.path`, message: 'must be a path such as /api/scenario/runs/:id' });
    const reserved = RESERVED.find((each) => path === each || path.startsWith(`${each}/`));
    if (reserved !== undefined)
      problems.push({ path: `${at}.path`, message: `lies below \`${reserved}\`, which is the host's` });
    if (!COMMAND.test(command)) problems.push({ path: `${at}.command`, message: 'must be a command' });
    else if (!subscribes.some(({ event }) => event === command))
      problems.push({ path: `${at}.command`, message: `the plugin does not subscribe to \`${command}\`` });
    if (seen.has(shapeOf(method, path))) problems.push({ path: at, message: 'is there twice' });
    seen.add(shapeOf(method, path));
    return { method, path, command, scope: scope ?? (method === 'GET' ? 'read' : 'write') };
  });
}

/** Paths that differ only in the names of their parameters are one. */
function shapeOf(method: string, path: string): string {
  return `${method} ${path.replaceAll(/:[^/]+/g, ':')}`;
}

/** By which it is asked for and granted. */
export function routeName({ method, path }: Pick<ContributedRoute, 'method' | 'path'>): string {
  return `${method} ${path}`;
}

/** @throws NEIRA_CONFLICT where another plugin has the same call */
export function requireFreeRoutes(registry: Registry, manifest: Manifest): void {
  for (const { manifest: other } of registry.list()) {
    if (other.id === manifest.id) continue;
    const taken = new Set(other.routes.map(({ method, path }) => shapeOf(method, path)));
    const clash = manifest.routes.find(({ method, path }) => taken.has(shapeOf(method, path)));
    if (!clash) continue;
    throw new NeiraError('NEIRA_CONFLICT', {
      what: 'The HTTP call',
      id: routeName(clash),
      by: `plugin \`${other.id}\``,
    });
  }
}
