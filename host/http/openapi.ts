import { readFileSync } from 'node:fs';
import { isRecord, parseYaml } from '../schema.ts';

/**
 * The HTTP contract as the host reads it. `abi/http/openapi.yaml` is the one place where the shape of a
 * call is written: routes are validated against it, so what is documented is what is enforced.
 */

export type JsonSchema = Readonly<Record<string, unknown>>;

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required?: boolean;
  readonly description?: string;
  readonly schema: JsonSchema;
}

interface Content {
  readonly [mediaType: string]: { readonly schema: JsonSchema };
}

export interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description?: string;
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters: readonly Parameter[];
  readonly requestBody?: { readonly required?: boolean; readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: Content }>>;
}

export interface Contract {
  /** The document as written, for /openapi.json. */
  readonly document: Readonly<Record<string, unknown>>;
  readonly title: string;
  readonly description: string;
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  /** Operations by `METHOD /path/{param}`, every `$ref` replaced by what it names. */
  readonly operations: ReadonlyMap<string, Operation>;
}

/** What fastify validates of one call. */
export interface RouteSchema {
  readonly params: JsonSchema;
  readonly querystring: JsonSchema;
  readonly body?: JsonSchema;
}

/** The parts of the file that are read before its references are resolved. */
interface Written extends Readonly<Record<string, unknown>> {
  readonly info: { readonly title: string; readonly description: string };
  readonly tags: Contract['tags'];
  readonly paths: Readonly<Record<string, unknown>>;
}

type PathItem = Partial<Record<(typeof METHODS)[number], Operation>> & {
  readonly parameters?: readonly Parameter[];
};

const METHODS = ['get', 'put', 'post', 'delete', 'patch'] as const;
const FILE = new URL('../../abi/http/openapi.yaml', import.meta.url);
/** What `npm run gen` made of it: a boot reads no YAML. */
const BUILT_FILE = new URL('../../abi/http/_dist/openapi.json', import.meta.url);

/** The contract as JSON. */
export function renderContract(): string {
  return `${JSON.stringify(parseYaml(readFileSync(FILE, 'utf8'), 'abi/http/openapi.yaml'), null, 2)}\n`;
}

export function loadContract(): Contract {
  const document = JSON.parse(readFileSync(BUILT_FILE, 'utf8')) as Written;
  const operations = new Map<string, Operation>();
  for (const [path, written] of Object.entries(document.paths)) {
    const item = resolve(document, written) as PathItem;
    for (const method of METHODS) {
      const operation = item[method];
      if (operation === undefined) continue;
      const parameters = [...(item.parameters ?? []), ...(operation.parameters ?? [])];
      operations.set(`${method.toUpperCase()} ${path}`, { ...operation, parameters });
    }
  }
  return { document, ...document.info, tags: document.tags, operations };
}

/** `/plugins/:id` as OpenAPI writes it. */
export function documentedPath(url: string): string {
  return url.replace(/:(\w+)/g, '{$1}');
}

/**
 * The schemas that fastify compiles for one operation. Unknown query parameters are refused. Where a call takes
 * more than JSON (a form), only its JSON bodies have a schema. Another type of JSON is made the body that it stands
 * for before that is judged.
 */
export function routeSchema(operation: Operation): RouteSchema {
  const content = operation.requestBody?.content ?? {};
  const json = content['application/json']?.schema;
  const onlyJson = Object.keys(content).every((type) => type.endsWith('json'));
  return {
    params: objectOf(operation, 'path'),
    querystring: objectOf(operation, 'query'),
    ...(json !== undefined && {
      body: onlyJson ? json : { content: { 'application/json': { schema: json } } },
    }),
  };
}

export interface IntegerParameter {
  readonly name: string;
  readonly byDefault: number | undefined;
}

/** The query parameters that are numbers; a query string carries only texts. */
export function integerParameters(operation: Operation): readonly IntegerParameter[] {
  return operation.parameters
    .filter((parameter) => parameter.in === 'query' && parameter.schema['type'] === 'integer')
    .map(({ name, schema }) => ({ name, byDefault: schema['default'] as number | undefined }));
}

function objectOf(operation: Operation, where: 'path' | 'query'): JsonSchema {
  const found = operation.parameters.filter((parameter) => parameter.in === where);
  if (found.length === 0) return { type: 'object', additionalProperties: false };
  return {
    type: 'object',
    additionalProperties: false,
    required: found.filter((parameter) => parameter.required === true).map((parameter) => parameter.name),
    properties: Object.fromEntries(found.map((parameter) => [parameter.name, parameter.schema])),
  };
}

/** A copy of `value` without references. The document has no cycles. */
function resolve(document: unknown, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => resolve(document, item));
  if (!isRecord(value)) return value;
  const { $ref } = value;
  if (typeof $ref === 'string') return resolve(document, target(document, $ref));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, resolve(document, item)]));
}

function target(document: unknown, reference: string): unknown {
  let node = document;
  for (const key of reference.slice('#/'.length).split('/')) node = isRecord(node) ? node[key] : undefined;
  if (node === undefined) throw new Error(`openapi.yaml refers to ${reference}, which is not there`);
  return node;
}
