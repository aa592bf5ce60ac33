/** What a check of event files found: which rule is broken, where, and what to do. */
export interface EventFinding {
  /** Its name is stable: scripts and tests may look for it. */
  readonly rule: string;
  /** A warning fails nothing. */
  readonly severity: 'error' | 'warning';
  /** Relative to the folder that was checked. */
  readonly file: string;
  /** JSON pointer (RFC 6901) into the file; empty for the whole. */
  readonly pointer: string;
  readonly message: string;
  readonly remedy: string;
}

export function broken(
  rule: string,
  file: string,
  message: string,
  remedy: string,
  pointer = '',
): EventFinding {
  return { rule, severity: 'error', file, pointer, message, remedy };
}

export function doubtful(
  rule: string,
  file: string,
  message: string,
  remedy: string,
  pointer = '',
): EventFinding {
  return { rule, severity: 'warning', file, pointer, message, remedy };
}

/** `/a~1b/0` from its parts. */
export function pointerOf(...parts: readonly (string | number)[]): string {
  return parts.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}
