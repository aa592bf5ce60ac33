import type { Entry } from '../error-catalogue.ts';

/** What can go wrong with secrets; part of the one catalogue. No entry ever carries a value. */
export const SECRET_ERRORS = {
  NEIRA_SECRET_MISSING: {
    status: 404,
    blame: 'caller',
    message: 'There is no secret `{secret}`.',
    remedy: 'An administrator sets it with `neira secret set {secret}`.',
  },
  NEIRA_SECRET_DENIED: {
    status: 403,
    blame: 'plugin',
    message: 'Plugin `{plugin}` may not send the secret `{secret}` to `{host}`: {reason}.',
    remedy: '{remedy}',
  },
  NEIRA_SECRET_LEAK: {
    status: 422,
    blame: 'plugin',
    message: 'Plugin `{plugin}` would give {secret} away in {what}; nothing of it was kept.',
    remedy:
      'Keep what is computed with a secret, not the secret; where it is to be sent, write {"secret": "<name>"} instead.',
  },
  NEIRA_SECRETS_LOCKED: {
    status: 503,
    blame: 'host',
    message: 'The secrets of this host cannot be used: {reason}.',
    remedy: '{remedy}',
  },
} as const satisfies Record<string, Entry>;
