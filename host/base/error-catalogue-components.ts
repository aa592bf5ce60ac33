import type { Entry } from '../error-catalogue.ts';

/** Why the file of a component is refused when it is registered; part of the one catalogue. */
export const COMPONENT_ERRORS = {
  NEIRA_COMPONENT_CORE_MODULE: {
    status: 422,
    blame: 'plugin',
    message: 'The file is a core WebAssembly module, not a component.',
    remedy:
      'Make a component of it with `wasm-tools component embed abi/wit/v1` and `wasm-tools component new`, or build it with `neira build`.',
  },
  NEIRA_COMPONENT_NOT_WASM: {
    status: 422,
    blame: 'plugin',
    message: 'The file is no WebAssembly component: it is {found}.',
    remedy: 'Name the built binary `.wasm` component in `entry`, not its source and not another program.',
  },
  NEIRA_COMPONENT_TRUNCATED: {
    status: 422,
    blame: 'plugin',
    message: 'The component is cut off: the file ends after {bytes} bytes, {reason}.',
    remedy: 'Build or copy the file again; it was not written to its end.',
  },
  NEIRA_COMPONENT_CORRUPT: {
    status: 422,
    blame: 'plugin',
    message: 'The component is not valid: {reason}.',
    remedy: 'Build it again, and check it with `wasm-tools validate`.',
  },
  NEIRA_COMPONENT_WORLD: {
    status: 422,
    blame: 'plugin',
    message: 'The component is not of the world `plugin`: {reason}.',
    remedy: 'Build it against abi/wit/v1, the world `plugin` or `prepared-plugin`.',
  },
  NEIRA_COMPONENT_IMPORTS: {
    status: 422,
    blame: 'plugin',
    message: 'The component imports what this host does not give: {reason}.',
    remedy:
      'Import only `neira:host/*`, clocks, random, stdout and stderr. `neira build` makes a JavaScript or TypeScript guest without the rest; for other languages choose a target without files, sockets and environment.',
  },
  NEIRA_COMPONENT_UNSUPPORTED: {
    status: 422,
    blame: 'plugin',
    message: 'The component uses what this host does not run: {feature}.',
    remedy: 'Build it for an older target, with the feature switched off.',
  },
  NEIRA_COMPONENT_NAME: {
    status: 422,
    blame: 'plugin',
    message: 'The component carries a name that is not allowed: {name}.',
    remedy:
      'Name imports and exports with Latin letters, digits and the usual signs, without quotes, in at most 512 characters.',
  },
  NEIRA_COMPONENT_TOO_LARGE: {
    status: 413,
    blame: 'plugin',
    message: 'The component is {bytes} bytes; {maxBytes} are allowed.',
    remedy: 'Build it optimised for size and without debug sections (`wasm-tools strip`).',
  },
  NEIRA_COMPONENT_TOO_MANY_PARTS: {
    status: 422,
    blame: 'plugin',
    message: 'The component has {count} {what}; {max} are allowed.',
    remedy: 'Compose it of fewer components, or link its libraries into one module.',
  },
  NEIRA_COMPONENT_LIMITS: {
    status: 422,
    blame: 'plugin',
    message: 'The component asks for more than its limits: {reason}.',
    remedy: 'Build it with a smaller initial memory and tables, or raise `limits.memory_mb` in the manifest.',
  },
  NEIRA_LINK_MISSING: {
    status: 422,
    blame: 'plugin',
    message: 'The component cannot be linked to `{interface}` of `{plugin}`: {reason}.',
    remedy:
      'Register and enable that plugin first, in a version whose manifest has the interface under `provides`.',
  },
  NEIRA_COMPONENT_TOO_COMPLEX: {
    status: 422,
    blame: 'plugin',
    message: 'The component could not be analysed: {reason}.',
    remedy: 'Make it smaller or less deeply composed; if the machine was very busy, register it again.',
  },
} as const satisfies Record<string, Entry>;
