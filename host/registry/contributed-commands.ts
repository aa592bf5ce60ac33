/** The command lines that a plugin contributes: each is a way to one of its own HTTP calls (contract, "A script plugin"). */
import type { CommandBehaviour } from '../base/command-line.ts';
import { NeiraError } from '../errors.ts';
import type { Problem } from '../schema.ts';
import { type ContributedRoute, routeName } from './contributed.ts';
import type { Manifest } from './manifest.ts';
import { type CommandInput, textOf } from './manifest-input.ts';
import type { Registry } from './registry.ts';

export interface ContributedCommand extends CommandBehaviour {
  /** `scenario run` */
  readonly name: string;
  readonly title: { readonly en: string; readonly ru: string };
  /** `POST /api/scenario/run`, one of the plugin's routes. */
  readonly route: string;
  /** Properties of the call that are given in their order, without a name. */
  readonly arguments: readonly string[];
}

/** First words of the command line's own commands (host/cli/neira.ts). */
export const OWN_COMMANDS: ReadonlySet<string> = new Set([
  'up',
  'status',
  'mode',
  'plugin',
  'gate',
  'events',
  'turns',
  'dry-run',
  'search',
  'export',
  'new',
  'build',
  'check-components',
  'commands',
  'journal',
  'token',
  'secret',
  'backup',
  'restore',
  'help',
]);

const NAME = /^[a-z][a-z0-9-]*(?: [a-z][a-z0-9-]*){1,2}$/;

export function commandsOf(
  given: readonly CommandInput[],
  routes: readonly ContributedRoute[],
  problems: Problem[],
): readonly ContributedCommand[] {
  const known = new Set(routes.map(routeName));
  const seen = new Set<string>();
  return given.map(({ title, arguments: positional = [], ...rest }, index) => {
    const { name, route } = rest;
    const at = `commands[${index}]`;
    const problem = (path: string, message: string) => problems.push({ path: `${at}.${path}`, message });
    if (!NAME.test(name)) problem('name', 'must be two or three words of lower-case letters: scenario run');
    else if (OWN_COMMANDS.has(firstWord(name)))
      problem('name', `begins with \`${firstWord(name)}\`, which is a command of neira itself`);
    if (seen.has(name)) problem('name', 'is there twice');
    seen.add(name);
    if (!known.has(route))
      problem('route', `is none of the plugin's routes: ${[...known].join(', ') || 'it has none'}`);
    const own = pathParameters(route).find((parameter) => !positional.includes(parameter));
    if (own !== undefined) problem('arguments', `lack \`${own}\`, which the path of the call has`);
    return { ...rest, title: textOf(title ?? name), arguments: positional };
  });
}

function pathParameters(route: string): readonly string[] {
  return [...route.matchAll(/:([a-z][a-z0-9_]*)/g)].map(([, name]) => name!);
}

function firstWord(name: string): string {
  return name.split(' ', 1)[0]!;
}

/** A first word belongs to one plugin. @throws NEIRA_CONFLICT */
export function requireFreeCommands(registry: Registry, manifest: Manifest): void {
  const words = new Set(manifest.commands.map(({ name }) => firstWord(name)));
  for (const { manifest: other } of registry.list()) {
    if (other.id === manifest.id) continue;
    const clash = other.commands.find(({ name }) => words.has(firstWord(name)));
    if (!clash) continue;
    const id = firstWord(clash.name);
    throw new NeiraError('NEIRA_CONFLICT', { what: 'The command', id, by: `plugin \`${other.id}\`` });
  }
}
