/**
 * Errors: a code of the catalogue and its details. Branch on `code`, never on `instanceof`: a class does not
 * survive a thread or a JSON hop.
 */
import { ERRORS } from './error-catalogue.ts';

export { type Blame, ERRORS } from './error-catalogue.ts';

export type ErrorCode = keyof typeof ERRORS;
export type ErrorDetails = Record<string, unknown>;

/** What crosses threads, rows and wires: the plain form of a {@link NeiraError}. */
export interface ErrorShape {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;
}

export class NeiraError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, details: ErrorDetails = {}, options?: ErrorOptions) {
    super(describe(code, details), options);
    this.name = 'NeiraError';
    this.code = code;
    this.details = details;
  }
}

export function isNeiraError(error: unknown): error is NeiraError {
  return (
    typeof error === 'object' &&
    error !== null &&
    typeof (error as { code?: unknown }).code === 'string' &&
    Object.hasOwn(ERRORS, (error as { code: string }).code)
  );
}

/** The sentence for a code, with its placeholders filled from `details`. */
export function describe(code: ErrorCode, details: ErrorDetails): string {
  return fill(ERRORS[code].message, details);
}

export function remedyFor(code: ErrorCode, details: ErrorDetails): string {
  return fill(ERRORS[code].remedy, details);
}

/** Any thrown thing as plain data; what is not ours becomes NEIRA_INTERNAL and keeps its message only. */
export function toShape(error: unknown): ErrorShape {
  if (isNeiraError(error)) return { code: error.code, details: error.details ?? {} };
  const reason = error instanceof Error ? error.message : String(error);
  return { code: 'NEIRA_INTERNAL', details: { reason } };
}

/** Rebuilds the error after a thread hop. */
export function fromShape(shape: ErrorShape): NeiraError {
  return new NeiraError(shape.code, shape.details);
}

/** RFC 9457 problem document. */
export interface Problem extends ErrorDetails {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: ErrorCode;
  readonly detail: string;
  readonly remedy: string;
}

export function toProblem(error: unknown): Problem {
  const { code, details } = toShape(error);
  const entry = ERRORS[code];
  return {
    ...details,
    type: `urn:neira:error:${code}`,
    title: code,
    status: entry.status,
    code,
    detail: describe(code, details),
    remedy: remedyFor(code, details),
  };
}

function fill(template: string, details: ErrorDetails): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) =>
    details[name] === undefined ? whole : String(details[name]),
  );
}
