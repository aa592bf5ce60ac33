/** HTTP calls of plugins as OpenAPI has them: what each takes and answers is what its command's schemas say. */
import type { EventDefinition } from '../bus/event-registry.ts';
import { type ContributedRoute, routeName } from '../registry/contributed.ts';
import type { LivePlugin } from '../registry/live-plugin.ts';

type Find = (name: string, version: number) => Pick<EventDefinition, 'schema' | 'summary'> | undefined;
type Schema = Readonly<Record<string, unknown>>;

/** Path items by path, `/api/scenario/definitions/{id}`; of plugins whose calls work now. */
export function contributedPaths(
  plugins: readonly LivePlugin[],
  find: Find,
): Readonly<Record<string, object>> {
  const paths: Record<string, Record<string, object>> = {};
  for (const { row, manifest, grants } of plugins)
    for (const route of manifest.routes) {
      if (!grants.routes?.includes(routeName(route))) continue;
      const path = route.path.replace(/:([a-z][a-z0-9_]*)/g, '{$1}');
      paths[path] ??= {};
      paths[path][route.method.toLowerCase()] = operationOf(row.id, route, find);
    }
  return paths;
}

function operationOf(plugin: string, { method, path, command, scope }: ContributedRoute, find: Find): object {
  const [name, version] = command.split('@') as [string, string];
  const definition = find(name, Number(version));
  const { properties = {}, required = [] } = (definition?.schema ?? {}) as {
    properties?: Readonly<Record<string, Schema>>;
    required?: readonly string[];
  };
  const inPath = [...path.matchAll(/:([a-z][a-z0-9_]*)/g)].map(([, parameter]) => parameter!);
  const others = Object.keys(properties).filter((each) => !inPath.includes(each));
  const parameter = (where: string) => (each: string) => ({
    name: each,
    in: where,
    required: where === 'path' || required.includes(each),
    schema: properties[each] ?? {},
  });
  const isQuery = method === 'GET' || method === 'DELETE';
  const body = {
    type: 'object',
    additionalProperties: definition?.schema['additionalProperties'] ?? true,
    properties: Object.fromEntries(others.map((each) => [each, properties[each]])),
    required: required.filter((each) => others.includes(each)),
  };
  const result = find(`${name}.result`, Number(version))?.schema ?? {};
  return {
    operationId: `${method.toLowerCase()}:${path}`,
    tags: [plugin],
    summary: definition?.summary ?? command,
    'x-command': command,
    security: [{ token: [scope] }],
    parameters: [...inPath.map(parameter('path')), ...(isQuery ? others.map(parameter('query')) : [])],
    ...(!isQuery && { requestBody: { required: true, content: { 'application/json': { schema: body } } } }),
    responses: {
      200: { description: 'What the plugin answers.', content: { 'application/json': { schema: result } } },
      default: { $ref: '#/components/responses/Problem' },
    },
  };
}
