/** What a core module is turned away for. */
export type RefusalKind =
  /** It is no well-formed core module. */
  | 'malformed'
  /** It uses a feature that this host does not run. */
  | 'unsupported'
  /** It asks for more than it may have: memory, tables, counts. */
  | 'limits'
  /** It imports or exports a name that may not stand in generated JavaScript, or that the host keeps for itself. */
  | 'name';

/** The only thing that {@link meterModule} throws. The pipeline makes a NeiraError of it, which names the plugin. */
export class ModuleRefused extends Error {
  readonly kind: RefusalKind;
  /** What is wrong and where, in plain words, fit for the author of the plugin. */
  readonly reason: string;

  constructor(kind: RefusalKind, reason: string) {
    super(`${kind}: ${reason}`);
    this.name = 'ModuleRefused';
    this.kind = kind;
    this.reason = reason;
  }
}

export function malformed(reason: string): ModuleRefused {
  return new ModuleRefused('malformed', reason);
}

export function unsupported(feature: string, where: string): ModuleRefused {
  return new ModuleRefused('unsupported', `${where}: ${feature} is not supported by this host`);
}

export function tooMany(count: number, what: string, max: number): ModuleRefused {
  return new ModuleRefused('limits', `${count} ${what} are more than the ${max} allowed`);
}
