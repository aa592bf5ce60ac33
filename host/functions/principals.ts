/**
 * `neira:host/principals`: on whose behalf the plugin acts. Twin of abi/wit/v1/principals.wit and
 * sandbox/quickjs/guest/principals.ts.
 *
 * A plugin says what a principal asks for; only an administrator grants it. Which plugin's principal is meant
 * comes from the turn, never from an argument.
 */
import manifestSchema from '../../abi/manifest/v1/schema.json' with { type: 'json' };
import {
  httpProblems,
  normalisePermissions,
  type Permissions,
  type PermissionsInput,
} from '../base/permissions.ts';
import { HOST_NAMESPACES, isHostEvent } from '../bus/envelope.ts';
import { PORT_NAMES } from '../ports/ports.ts';
import { compileSchema, summary, type Validator } from '../schema.ts';
import type { PrincipalDraft } from '../store/records.ts';
import { type HostFunction, isPresent, parseObject } from './arguments.ts';
import { invalid, refuseOthers } from './bus-options.ts';

const MAX_DRAFT_BYTES = 32 * 1024;
const MAX_TITLE_CHARS = 200;
const ID = /^[a-z0-9][\w.:-]{0,127}$/;
const DIGEST = /^[\w.:+/=-]{1,200}$/;

export const principalsFunctions: Readonly<Record<string, HostFunction>> = {
  /**
   * Stages that there is this principal. It has what it was granted before, as far as it still asks for it.
   * @throws NEIRA_PERMISSION_DENIED unless the plugin may delegate; NEIRA_VALUE_INVALID, NEIRA_TOO_MANY.
   */
  register(turn, [draft]) {
    turn.require('principals.delegate');
    const max = turn.policy.principals?.max ?? 0;
    turn.arrange({ op: 'principal.register', principal: principalOf(draft), max });
    return undefined;
  },

  /** Stages the end of a principal with all that it kept; where there is none, nothing happens. */
  remove(turn, [id]) {
    turn.require('principals.delegate');
    turn.arrange({ op: 'principal.remove', id: idOf(id) });
    return undefined;
  },

  /**
   * Names of what a principal was granted, as consent shows them.
   * @throws NEIRA_PRINCIPAL_UNKNOWN, NEIRA_PERMISSION_DENIED
   */
  granted(turn, [id]) {
    return JSON.stringify(turn.principals.grantedTo(idOf(id)));
  },

  /**
   * What is called from now on is called by this principal; without one, by the plugin itself again.
   * @throws NEIRA_PRINCIPAL_UNKNOWN, NEIRA_PERMISSION_DENIED; nothing has changed then.
   */
  'act-as'(turn, [principal]) {
    turn.principals.actAs(isPresent(principal) ? principal : undefined);
    return undefined;
  },
};

function principalOf(given: string | undefined): PrincipalDraft {
  const { id, title, permissions, digest, ...others } = parseObject(given, 'principal', MAX_DRAFT_BYTES);
  refuseOthers('principal', others);
  if (typeof title !== 'string' || title.trim() === '' || title.length > MAX_TITLE_CHARS)
    throw invalid('principal.title', `it must be a text of 1 to ${MAX_TITLE_CHARS} characters`);
  if (digest !== undefined && digest !== null && !(typeof digest === 'string' && DIGEST.test(digest)))
    throw invalid('principal.digest', 'it must be 1 to 200 letters, digits or `_.:+/=-`');
  const asked = JSON.stringify(askedBy(permissions ?? {}));
  return { id: idOf(id), title, asked, ...(typeof digest === 'string' && { digest }) };
}

function idOf(id: unknown): string {
  if (typeof id === 'string' && ID.test(id)) return id;
  const reason = 'it must be 1 to 128 of a-z, A-Z, 0-9, `_`, `.`, `:` or `-`, and begin with a-z or 0-9';
  throw invalid('principal.id', reason);
}

let shape: Validator | undefined;

/** Compiles what registrations are checked with: that takes longer than a turn should, so not within one. */
export function prepareRegistrations(): Validator {
  const { permissions: schema } = manifestSchema.$defs;
  shape ??= compileSchema({ ...schema, $defs: manifestSchema.$defs } as Record<string, unknown>);
  return shape;
}

/** As a manifest would ask for it, and no more than a manifest could. */
function askedBy(permissions: unknown): Permissions {
  const problems = prepareRegistrations().problems(permissions);
  if (problems.length > 0) throw invalid('principal.permissions', summary(problems));
  const asked = normalisePermissions(permissions as PermissionsInput);
  const [odd] = httpProblems(asked);
  if (odd) throw invalid(`principal.${odd.path}`, odd.message);
  const hostEvent = asked.bus.publish.find(isHostEvent);
  if (hostEvent !== undefined) {
    const reason = `only the host publishes \`${hostEvent}\` (${HOST_NAMESPACES.join(', ')})`;
    throw invalid('principal.permissions.bus.publish', reason);
  }
  const port = asked.io.ports.find((each) => !PORT_NAMES.includes(each));
  if (port !== undefined) {
    const reason = `\`${port}\` is no port of this host; there is ${PORT_NAMES.join(', ')}`;
    throw invalid('principal.permissions.io.ports', reason);
  }
  if (asked.routes) throw invalid('principal.permissions.routes', 'only a plugin contributes HTTP calls');
  if (asked.principals)
    throw invalid('principal.permissions.principals', 'a principal cannot delegate any further');
  return asked;
}
