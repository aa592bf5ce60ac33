/** Which imports of a component this host gives, and the one refusal that names all of the others. */
import { NeiraError } from '../../../errors.ts';
import type { Extern } from './component-items.ts';
import { INERT_WASI } from './inert-wasi.ts';

export interface HostInterfaces {
  /** `neira:host` */
  readonly package: string;
  /** `1.0.0`: an import of an older version with the same major is one of this. */
  readonly version: string;
  readonly interfaces: readonly string[];
}

/** An import, and what it is given: an interface of the host's own world, or one of a linked component. */
export interface Given {
  readonly name: string;
  readonly from: string;
}

const INTERFACE = /^([a-z0-9:-]+)\/([a-z0-9-]+)(?:@(\d+\.\d+\.\d+))?$/;
const MAX_LISTED = 100;
const NOT_GIVEN = 'is not given to plugins';
const NOT_LINKED = 'is not given to plugins, and `permissions.links` links it to no other plugin';

/**
 * @param linked interfaces that other components give to this one
 * @throws NEIRA_COMPONENT_IMPORTS with `imports`, all that are not given, and for each the reason.
 */
export function allowImports(
  imports: readonly Extern[],
  host: HostInterfaces,
  linked: readonly string[] = [],
): Given[] {
  const decided = imports.map((each) => ({ ...each, ...decide(each, host, linked) }));
  const refused = decided.filter(({ refused: why }) => why !== undefined);
  if (refused.length > 0) {
    const listed = refused.slice(0, MAX_LISTED).map(({ name, refused: why }) => `${name} ${why}`);
    throw new NeiraError('NEIRA_COMPONENT_IMPORTS', {
      reason: listed.join('; '),
      imports: refused.slice(0, MAX_LISTED).map(({ name }) => name),
      count: refused.length,
    });
  }
  return decided.map(({ name, from }) => ({ name, from: from! }));
}

function decide(
  { name, kind }: Extern,
  host: HostInterfaces,
  linked: readonly string[],
): { from?: string; refused?: string } {
  const [, family, face, version] = INTERFACE.exec(name) ?? [];
  if (family === undefined || kind !== 'instance') return { refused: `is a ${kind}, not an interface` };
  if (family === host.package) return decideOwn(face!, version, host);
  const inert = INERT_WASI.find((each) => each.interface === `${family}/${face}`);
  if (!inert && linked.includes(name)) return { from: name };
  if (!inert) return { refused: family.startsWith('wasi:') ? NOT_GIVEN : NOT_LINKED };
  if (version === undefined || !/^0\.2\.\d+$/.test(version)) {
    return { refused: 'is not provided in that version (has: 0.2)' };
  }
  return { from: inert.name };
}

function decideOwn(face: string, version: string | undefined, host: HostInterfaces) {
  const own = (each: string) => `${host.package}/${each}@${host.version}`;
  if (!host.interfaces.includes(face)) {
    return { refused: `is not provided by this host (has: ${host.interfaces.map(own).join(', ')})` };
  }
  if (version === undefined || !isCompatible(version, host.version)) {
    return { refused: `is not provided by this host in that version (has: ${own(face)})` };
  }
  return { from: own(face) };
}

/** Within one major version things are only added: what was built against an older one fits. */
function isCompatible(wanted: string, given: string): boolean {
  const [major, ...rest] = wanted.split('.').map(Number);
  const [givenMajor, ...givenRest] = given.split('.').map(Number);
  if (major !== givenMajor) return false;
  return rest[0]! < givenRest[0]! || (rest[0] === givenRest[0] && rest[1]! <= givenRest[1]!);
}
