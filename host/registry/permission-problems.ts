/** Permissions that a manifest may not ask for because nothing could come of them. */

import type { Permissions } from '../base/permissions.ts';
import { PORT_NAMES } from '../ports/ports.ts';
import type { Problem } from '../schema.ts';

interface LinkedManifest {
  readonly kind: 'script' | 'wasm';
  readonly provides: readonly string[];
  readonly permissions: Permissions;
}

/** A port that is not there would take messages and send them nowhere. */
export function unknownPorts({ permissions }: { readonly permissions: Permissions }): Problem[] {
  return permissions.io.ports.flatMap((port, index) =>
    PORT_NAMES.includes(port)
      ? []
      : [
          {
            path: `permissions.io.ports[${index}]`,
            message: `is no port of this host; there is ${PORT_NAMES.join(', ')}`,
          },
        ],
  );
}

/** A secret that can go nowhere would be granted for nothing. */
export function uselessSecrets({ permissions }: { readonly permissions: Permissions }): Problem[] {
  return permissions.secrets.flatMap(({ hosts, reveal }, index) =>
    hosts.length > 0 || reveal
      ? []
      : [
          {
            path: `permissions.secrets[${index}]`,
            message: 'names no host that it could be sent to: give `hosts`, or `io.http`, or `reveal: true`',
          },
        ],
  );
}

/** Only components have interfaces. */
export function linksOfScripts({ kind, provides, permissions }: LinkedManifest): Problem[] {
  if (kind === 'wasm') return [];
  const message = 'is for components: a script calls other plugins by `request` of neira:host/bus';
  return [
    ...(provides.length > 0 ? [{ path: 'provides', message }] : []),
    ...(permissions.links ? [{ path: 'permissions.links', message }] : []),
  ];
}
