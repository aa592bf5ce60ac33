/** What an administrator grants: never more than the manifest asks (`gates/decide.ts` needs both). */

import manifestSchema from '../../abi/manifest/v1/schema.json' with { type: 'json' };
import {
  httpProblems,
  normalisePermissions,
  type Permissions,
  type PermissionsInput,
  pendingConsent,
} from '../base/permissions.ts';
import { NeiraError } from '../errors.ts';
import { compileSchema, summary, validate } from '../schema.ts';

const { permissions } = manifestSchema.properties;

/** @throws NEIRA_INVALID when the shape is wrong or something is granted that was not asked for. */
export function checkedGrants(input: unknown, asked: Permissions, who = 'the manifest'): Permissions {
  const schema = { ...permissions, $defs: manifestSchema.$defs } as Record<string, unknown>;
  validate(compileSchema(schema), input, 'The grants');
  const grants = normalisePermissions(writtenOut(input as PermissionsInput, asked));
  const errors = httpProblems(grants);
  if (errors.length > 0)
    throw new NeiraError('NEIRA_INVALID', { what: 'The grants', reason: summary(errors), errors });
  const beyond = [...pendingConsent(grants, asked), ...unaskedSecrets(input as PermissionsInput, asked)];
  if (beyond.length === 0) return grants;
  throw new NeiraError('NEIRA_INVALID', {
    what: 'The grants',
    reason: `${who} does not ask for ${beyond.join(', ')}`,
    errors: beyond.map((name) => ({ path: 'permissions', message: `\`${name}\` is not asked for` })),
  });
}

/** The name of a secret alone grants every host that the manifest asks it for, and not that it is shown. */
function writtenOut(input: PermissionsInput, asked: Permissions): PermissionsInput {
  if (input.secrets === undefined) return input;
  const secrets = input.secrets.map((given) => {
    const hosts = asked.secrets.find(({ name }) => name === given)?.hosts;
    return typeof given === 'string' && hosts ? { name: given, hosts } : given;
  });
  return { ...input, secrets };
}

/** By name alone a secret that nobody asks for would be granted for no host, and nobody would notice. */
function unaskedSecrets({ secrets = [] }: PermissionsInput, asked: Permissions): readonly string[] {
  const names = secrets.map((given) => (typeof given === 'string' ? given : given.name));
  return names
    .filter((name) => !asked.secrets.some((each) => each.name === name))
    .map((name) => `secrets:${name}`);
}
