import type { Entry } from '../error-catalogue.ts';

/** What can go wrong where source becomes what runs; part of the one catalogue. */
export const BUILD_ERRORS = {
  NEIRA_BUNDLE_FAILED: {
    status: 422,
    blame: 'plugin',
    message: 'The source does not build: {reason}.',
    remedy: 'Correct the place named in `file` and `line`.',
  },
  NEIRA_BUILD_FAILED: {
    status: 422,
    blame: 'plugin',
    message: 'The component could not be built, {what}: {reason}.',
    remedy: 'Correct what it names, and build again.',
  },
} as const satisfies Record<string, Entry>;
