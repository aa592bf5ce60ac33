/**
 * The one catalogue of everything that can go wrong (design §6). `abi/errors.md` is generated from it.
 *
 * `status` is the HTTP status of the problem document (RFC 9457), `blame` says who has to act.
 */

import { BUILD_ERRORS } from './base/error-catalogue-build.ts';
import { BUS_ERRORS } from './base/error-catalogue-bus.ts';
import { COMPONENT_ERRORS } from './base/error-catalogue-components.ts';
import { IO_ERRORS } from './base/error-catalogue-io.ts';
import { SECRET_ERRORS } from './base/error-catalogue-secrets.ts';

export type Blame = 'caller' | 'plugin' | 'host';

export interface Entry {
  readonly status: number;
  readonly blame: Blame;
  /** What happened. `{name}` is replaced by `details.name`. */
  readonly message: string;
  /** What to do about it. */
  readonly remedy: string;
}

const OWN = {
  // --- the caller's request
  NEIRA_UNAUTHENTICATED: {
    status: 401,
    blame: 'caller',
    message: 'The call carries no valid token.',
    remedy:
      'Send `Authorization: Bearer <token>`; the administrator token lies in `admin.token` of the home.',
  },
  NEIRA_FORBIDDEN: {
    status: 403,
    blame: 'caller',
    message: 'The token lacks the scope `{scope}`.',
    remedy: 'Use a token with that scope, made with `neira token create --scope {scope}`.',
  },
  NEIRA_ORIGIN_REFUSED: {
    status: 403,
    blame: 'caller',
    message: 'The {header} `{value}` is not one this host answers to.',
    remedy: 'Call the host by its own address, or name the origin in NEIRA_ORIGINS.',
  },
  NEIRA_NOT_FOUND: {
    status: 404,
    blame: 'caller',
    message: 'There is no {what} `{id}`.',
    remedy: 'List what exists with the matching GET call.',
  },
  NEIRA_INVALID: {
    status: 422,
    blame: 'caller',
    message: '{what} is not valid: {reason}.',
    remedy: 'Correct the paths listed in `errors` and send it again.',
  },
  NEIRA_BAD_REQUEST: {
    status: 400,
    blame: 'caller',
    message: 'The request cannot be read: {reason}.',
    remedy: 'Send a body of the documented content type.',
  },
  NEIRA_BODY_TOO_LARGE: {
    status: 413,
    blame: 'caller',
    message: 'The body is larger than {maxBytes} bytes.',
    remedy: 'Send less in one call, or raise `http.body_limit_kb` in neira.yaml.',
  },
  NEIRA_RATE_LIMITED: {
    status: 429,
    blame: 'caller',
    message: 'Too many calls.',
    remedy: 'Wait for the seconds in `Retry-After` and try again.',
  },
  NEIRA_CONFLICT: {
    status: 409,
    blame: 'caller',
    message: '{what} `{id}` is already taken by {by}.',
    remedy: 'Choose another name, or remove what holds it.',
  },
  NEIRA_IDEMPOTENCY_MISMATCH: {
    status: 422,
    blame: 'caller',
    message: 'The Idempotency-Key was used before with another body.',
    remedy: 'Use a new key for a new request.',
  },
  NEIRA_SIGNATURE_INVALID: {
    status: 422,
    blame: 'caller',
    message: 'The signature of plugin `{plugin}` is not accepted: {reason}.',
    remedy: 'Sign the plugin with a key named under `signatures.trusted` in neira.yaml.',
  },

  // --- decisions (gates/decide.ts)
  NEIRA_GATE_LOCKED: {
    status: 403,
    blame: 'caller',
    message: 'The gate `{gate}` is locked.',
    remedy: 'An administrator opens it with `neira gate set {gate} experimental`.',
  },
  NEIRA_GATE_REQUIRES: {
    status: 409,
    blame: 'caller',
    message: 'The gate `{gate}` requires `{requires}` to be {stage} first.',
    remedy: 'Bring `{requires}` to {stage}, or repeat with force (which is journaled).',
  },
  NEIRA_SAFE_MODE: {
    status: 423,
    blame: 'caller',
    message: 'The host is in safe mode: {operation} is refused.',
    remedy: 'Leave safe mode with `neira mode normal`.',
  },
  NEIRA_PERMISSION_DENIED: {
    status: 403,
    blame: 'plugin',
    message: 'Plugin `{plugin}` may not use `{permission}`: {reason}.',
    remedy: '{remedy}',
  },
  NEIRA_PRINCIPAL_UNKNOWN: {
    status: 404,
    blame: 'plugin',
    message: 'Plugin `{plugin}` has no principal `{principal}` registered.',
    remedy: 'Register it first; `neira plugin principals {plugin}` lists those that there are.',
  },
  NEIRA_PLUGIN_INACTIVE: {
    status: 409,
    blame: 'caller',
    message: 'Plugin `{plugin}` is not active: {reason}.',
    remedy: '{remedy}',
  },
  NEIRA_QUARANTINED: {
    status: 409,
    blame: 'plugin',
    message: 'Plugin `{plugin}` is quarantined: {reason}.',
    remedy: 'Mend the plugin and register it again, or enable it with `neira plugin enable {plugin}`.',
  },

  // --- registration
  NEIRA_MANIFEST_INVALID: {
    status: 422,
    blame: 'plugin',
    message: 'The manifest is not valid: {reason}.',
    remedy: 'Correct the paths listed in `errors`; the schema is abi/manifest/v1/schema.json.',
  },
  NEIRA_ARCHIVE_REFUSED: {
    status: 422,
    blame: 'caller',
    message: 'The archive is refused: {reason}.',
    remedy: 'Pack plain files only, with relative paths, within the size limits.',
  },
  NEIRA_SOURCE_REFUSED: {
    status: 422,
    blame: 'caller',
    message: 'The plugin source is refused: {reason}.',
    remedy: 'Give plain files with relative paths inside the plugin folder.',
  },
  NEIRA_BOOT_FAILED: {
    status: 422,
    blame: 'plugin',
    message: 'The plugin does not boot: {reason}.',
    remedy:
      'Correct the place named in `file` and `line`; top-level code and prepare() must end without an error.',
  },

  // --- turns
  NEIRA_PLUGIN_FAILED: {
    status: 500,
    blame: 'plugin',
    message: 'Plugin `{plugin}` threw {name}: {reason}.',
    remedy: 'Correct the place named in `file` and `line`.',
  },
  NEIRA_CPU_EXCEEDED: {
    status: 500,
    blame: 'plugin',
    message: 'Plugin `{plugin}` used more than its {cpuMs} ms of computation.',
    remedy: 'Do less in one turn, or raise `limits.cpu_ms` in the manifest.',
  },
  NEIRA_TURN_TIMEOUT: {
    status: 504,
    blame: 'plugin',
    message: 'The turn of plugin `{plugin}` ran longer than {turnMs} ms and was ended.',
    remedy: 'Do less in one turn, or raise `limits.turn_ms` in the manifest.',
  },
  NEIRA_MEMORY_EXCEEDED: {
    status: 500,
    blame: 'plugin',
    message: 'Plugin `{plugin}` used more than its {memoryMb} MB of memory.',
    remedy: 'Keep less in memory, or raise `limits.memory_mb` in the manifest.',
  },
  NEIRA_STACK_EXCEEDED: {
    status: 500,
    blame: 'plugin',
    message: 'Plugin `{plugin}` overflowed the stack.',
    remedy: 'Recurse less deeply.',
  },
  NEIRA_NEVER_SETTLED: {
    status: 500,
    blame: 'plugin',
    message: 'handle() of plugin `{plugin}` returned a promise that nothing is left to settle.',
    remedy: 'Resolve every promise that handle() awaits.',
  },
  NEIRA_WAIT_TIMEOUT: {
    status: 504,
    blame: 'plugin',
    message:
      'The turn of plugin `{plugin}` waited longer than {waitMs} ms and was ended; it waited for {what}.',
    remedy: 'Wait for less in one turn, or raise `limits.wait_ms` in the manifest.',
  },
  NEIRA_WAITS_EXCEEDED: {
    status: 500,
    blame: 'plugin',
    message: 'A turn of plugin `{plugin}` may wait for {max} answers at a time.',
    remedy: 'Await some of the open requests before making more.',
  },
  NEIRA_WAITING_FULL: {
    status: 503,
    blame: 'host',
    message:
      'The turn of plugin `{plugin}` could not wait: the {waiting} turns that wait in its cell hold all of the {maxBytes} bytes that they may.',
    remedy: 'Send it again a little later, keep less in memory while waiting, or give the host more cells.',
  },
  NEIRA_OUTPUT_TOO_LARGE: {
    status: 500,
    blame: 'plugin',
    message: 'Plugin `{plugin}` answered with more than {maxBytes} bytes.',
    remedy: 'Answer with less, or raise `limits.output_kb` in the manifest.',
  },
  NEIRA_REPLY_INVALID: {
    status: 500,
    blame: 'plugin',
    message: 'Plugin `{plugin}` answered with something that is not a reply: {reason}.',
    remedy: 'Return an object `{ actions: [...] }`, or nothing.',
  },
  NEIRA_HOST_CALLS_EXCEEDED: {
    status: 500,
    blame: 'plugin',
    message: 'Plugin `{plugin}` made more than {max} host calls in one turn.',
    remedy: 'Call less, or raise `limits.host_calls` in the manifest.',
  },
  NEIRA_PUBLISHES_EXCEEDED: {
    status: 500,
    blame: 'plugin',
    message: 'Plugin `{plugin}` published more than {max} messages in one turn.',
    remedy: 'Publish less, or raise `limits.publishes` in the manifest.',
  },
  NEIRA_VALUE_TOO_LARGE: {
    status: 413,
    blame: 'plugin',
    message: 'The {what} is {bytes} bytes; {maxBytes} are allowed.',
    remedy: 'Pass less at once, or divide it.',
  },
  NEIRA_VALUE_INVALID: {
    status: 500,
    blame: 'plugin',
    message: 'The {what} is not valid: {reason}.',
    remedy: 'Pass a value of the documented shape.',
  },
  NEIRA_VERSION_MISMATCH: {
    status: 409,
    blame: 'plugin',
    message: 'The key `{key}` is at version {actual}, not {expected}.',
    remedy: 'Read the value again and decide anew.',
  },
  NEIRA_ADD_REFUSED: {
    status: 500,
    blame: 'plugin',
    message: 'Nothing was added under the key `{key}`: {reason}.',
    remedy: 'Set a number under the key first, or count under a key of its own.',
  },
  NEIRA_STORAGE_FULL: {
    status: 507,
    blame: 'plugin',
    message: 'Plugin `{plugin}` would hold more than its {storageMb} MB of storage.',
    remedy: 'Delete what is not needed, or raise `limits.storage_mb` in the manifest.',
  },
  NEIRA_IMPORT_REFUSED: {
    status: 500,
    blame: 'plugin',
    message: 'The module `{module}` cannot be imported.',
    remedy: 'Import only files and packages that are bundled with the plugin, and `neira:host/*`.',
  },
  NEIRA_NO_HANDLER: {
    status: 422,
    blame: 'plugin',
    message: 'The plugin exports no function `handle`.',
    remedy: 'Write `export function handle(event) { … }` in the entry file.',
  },

  // --- the host
  NEIRA_DEADLINE: {
    status: 504,
    blame: 'host',
    message: 'The event was not done within {deadlineMs} ms; nothing of it was kept.',
    remedy: 'Send it again, with the same Idempotency-Key if it carried one.',
  },
  NEIRA_TOO_MANY_TAILS: {
    status: 503,
    blame: 'host',
    message: 'There are {max} live tails of events, and the host keeps no more at once.',
    remedy: 'End one of them, or read page by page with `GET /api/neira/events?after=`.',
  },
  NEIRA_BUSY: {
    status: 503,
    blame: 'host',
    message: '{what} has {waiting} events waiting and takes no more now.',
    remedy: 'Send it again a little later.',
  },
  NEIRA_CELL_LOST: {
    status: 500,
    blame: 'plugin',
    message: 'The cell had to be ended while it ran a turn of plugin `{plugin}`.',
    remedy: 'Look for an endless loop in the place the log names.',
  },
  NEIRA_REPLAY_FAILED: {
    status: 500,
    blame: 'plugin',
    message: 'A recorded turn of plugin `{plugin}` could not be run again: {reason}.',
    remedy: 'Look for an endless loop in the version that it ran on.',
  },
  NEIRA_REHEARSAL_DIFFERS: {
    status: 409,
    blame: 'plugin',
    message:
      'Version {version} of plugin `{plugin}` does otherwise in {different} of its last {replayed} turns, and asks for what it never had in {not_comparable}; the old version serves on.',
    remedy:
      'See `neira plugin rehearsal {plugin}`; mend it, or take it over with `neira plugin rehearsal {plugin} --accept`.',
  },
  NEIRA_DRY_RUN_REQUEST: {
    status: 409,
    blame: 'caller',
    message: 'A dry run does not send `{request}`, and there is no answer to it from before.',
    remedy: 'Give its answer among the stubs of the dry run.',
  },
  NEIRA_NOT_REPLAYABLE: {
    status: 409,
    blame: 'caller',
    message: 'The turn {turn} cannot be run again: {reason}.',
    remedy: 'Choose another turn with `neira turns list`.',
  },
  NEIRA_STORE_CONFLICT: {
    status: 409,
    blame: 'host',
    message: 'What the turn had read was changed by another turn, {attempts} times.',
    remedy: 'Send it again.',
  },
  NEIRA_DISK_FULL: {
    status: 507,
    blame: 'host',
    message: 'The disk that holds the home is full; nothing was changed.',
    remedy: 'Free some space; the host goes on by itself.',
  },
  NEIRA_STORE_FAILED: {
    status: 500,
    blame: 'host',
    message: 'The store could not do it: {reason}.',
    remedy: 'Look at the log of the host; nothing was changed.',
  },
  NEIRA_HOME_LOCKED: {
    status: 503,
    blame: 'host',
    message: 'The home `{home}` is in use by another process.',
    remedy: 'Stop that process, or set NEIRA_HOME to another folder.',
  },
  NEIRA_HOME_NEWER: {
    status: 500,
    blame: 'host',
    message: 'The home was written by a newer Neira (schema {found}, this one knows {known}).',
    remedy: 'Start the newer version, or restore a backup.',
  },
  NEIRA_CONFIG_INVALID: {
    status: 500,
    blame: 'caller',
    message: 'The setting {setting} is not valid: {reason}.',
    remedy: 'Correct it in the environment or in neira.yaml.',
  },
  NEIRA_STOPPING: {
    status: 503,
    blame: 'host',
    message: 'The host is stopping.',
    remedy: 'Send it again when it is up.',
  },
  NEIRA_UNREACHABLE: {
    status: 503,
    blame: 'caller',
    message: 'No host answers at {url}.',
    remedy: 'Start one with `neira up`, or set NEIRA_URL.',
  },
  NEIRA_INTERNAL: {
    status: 500,
    blame: 'host',
    message: 'The host made a mistake: {reason}.',
    remedy: 'Report it with the log lines around this time.',
  },
} as const satisfies Record<string, Entry>;

const PARTS = { ...BUILD_ERRORS, ...BUS_ERRORS, ...COMPONENT_ERRORS, ...IO_ERRORS, ...SECRET_ERRORS };

export const ERRORS = { ...OWN, ...PARTS };
