/**
 * What is wrong with a document, in the words of its author.
 *
 * ajv's errors are given by shape, so that only schema.ts knows ajv.
 */

/** A place in a document, written as an author would: `ui.buttons[0].id`; `$` is the whole. */
export interface Problem {
  readonly path: string;
  readonly message: string;
}

export const MAX_PROBLEMS = 50;

/** The parts of ajv's error object that are read here. */
export interface KeywordError {
  readonly keyword: string;
  readonly instancePath: string;
  readonly params: unknown;
  readonly propertyName?: string;
  readonly message?: string;
  readonly parentSchema?: unknown;
}

/** One line for a list of problems: the first, and how many more there are. */
export function summary(errors: readonly Problem[]): string {
  const [first] = errors;
  if (first === undefined) return 'nothing is wrong';
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
  return `${first.path} ${first.message}${more}`;
}

/** ajv's errors as an author would put them; alternatives that failed are said once, by their `x-say`. */
export function readable(errors: readonly KeywordError[]): Problem[] {
  let kept: KeywordError[] = [];
  for (const error of errors) {
    if (error.keyword === 'if' || error.keyword === 'propertyNames') continue;
    if (['anyOf', 'oneOf'].includes(error.keyword) && sayOf(error) !== undefined) {
      kept = kept.filter((each) => !`${each.instancePath}/`.startsWith(`${error.instancePath}/`));
    }
    kept.push(error);
  }
  const problems = new Map<string, Problem>();
  for (const error of kept) {
    const problem = problemOf(error);
    const key = `${problem.path}\n${problem.message}`;
    if (problems.size < MAX_PROBLEMS && !problems.has(key)) problems.set(key, problem);
  }
  return [...problems.values()];
}

function sayOf(error: KeywordError): string | undefined {
  const say = (error.parentSchema as Record<string, unknown> | undefined)?.['x-say'];
  return typeof say === 'string' ? say : undefined;
}

function problemOf(error: KeywordError): Problem {
  const params = error.params as Record<string, unknown>;
  const path = pathOf(error.instancePath);
  switch (error.keyword) {
    case 'required':
      return { path: join(path, String(params.missingProperty)), message: 'is missing' };
    case 'additionalProperties':
      return { path: join(path, String(params.additionalProperty)), message: 'is not a known field' };
    case 'pattern':
    case 'anyOf':
    case 'oneOf':
      if (error.propertyName !== undefined) break;
      return { path, message: sayOf(error) ?? error.message ?? 'is not valid' };
    case 'enum':
      return {
        path,
        message: `must be one of ${(params.allowedValues as unknown[]).map((each) => JSON.stringify(each)).join(', ')}`,
      };
    case 'const':
      return { path, message: sayOf(error) ?? `must be ${JSON.stringify(params.allowedValue)}` };
    case 'type':
      return { path, message: sayOf(error) ?? `must be ${[params.type].flat().join(' or ')}` };
  }
  if (error.propertyName !== undefined)
    return {
      path: join(path, error.propertyName),
      message: `is not an allowed name: ${sayOf(error) ?? error.message}`,
    };
  return { path, message: error.message ?? 'is not valid' };
}

/** `/ui/buttons/0/id` as `ui.buttons[0].id`. */
function pathOf(pointer: string): string {
  const path = pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  return path.reduce(join, '$');
}

function join(path: string, part: string): string {
  const name = part.slice(0, 100);
  if (/^\d+$/.test(name)) return `${path === '$' ? '' : path}[${name}]`;
  return path === '$' ? name : `${path}.${name}`;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
