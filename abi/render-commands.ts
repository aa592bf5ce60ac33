/** The commands of the bus as OpenAPI 3.1: what each takes and what its reply holds (BUS-40). */
import { REPLY_SUFFIX } from '../host/bus/event-names.ts';
import type { EventDefinition } from '../host/bus/event-registry.ts';
import { renderYaml } from '../host/schema.ts';
import { fqdn } from './render-events.ts';

const DIALECT = 'https://json-schema.org/draft/2020-12/schema';

export function renderCommands(events: readonly EventDefinition[]): string {
  const commands = events.filter(({ kind }) => kind === 'command');
  const replyOf = ({ name, version }: EventDefinition) =>
    events.find((each) => each.name === name + REPLY_SUFFIX && each.version === version);
  const schemas = commands.flatMap((each) => [each, replyOf(each) ?? []].flat());
  const responseOf = (command: EventDefinition) => {
    const reply = replyOf(command);
    return reply
      ? { description: reply.summary, content: content(reply) }
      : { description: 'A result of its own, to whoever asks for it; no event.' };
  };
  const document = {
    openapi: '3.1.0',
    jsonSchemaDialect: DIALECT,
    info: {
      title: 'Neira: commands of the bus',
      version: '1.0.0',
      description:
        'A path here is a command and its version, no HTTP address. Publish one with `POST /api/neira/events` ' +
        'as `{event_name, version, payload, headers}`; the reply is an event of its own, whose `causation_id` is ' +
        'the id of the command.',
    },
    paths: Object.fromEntries(
      commands.map((each) => [
        `/${fqdn(each)}`,
        {
          post: {
            operationId: `${each.name}.v${each.version}`,
            summary: each.summary,
            tags: [each.name.split('.')[0]],
            ...(each.status === 'deprecated' && { deprecated: true }),
            'x-idempotency-key': each.semantics.idempotencyKey,
            parameters: each.requiredHeaders.map((name) => ({
              name,
              in: 'header',
              required: true,
              schema: { type: 'string', minLength: 1 },
            })),
            requestBody: { required: true, content: content(each) },
            responses: { default: responseOf(each) },
          },
        },
      ]),
    ),
    components: { schemas: Object.fromEntries(schemas.map((each) => [componentOf(each), each.schema])) },
  };
  return `# Generated from abi/events by \`npm run gen\`. Do not edit.\n${renderYaml(document)}`;
}

function content(event: EventDefinition) {
  const payload = (event.example as { payload?: unknown } | null)?.payload;
  return {
    'application/json': {
      schema: { $ref: `#/components/schemas/${componentOf(event)}` },
      ...(payload !== undefined && { example: payload }),
    },
  };
}

function componentOf({ name, version }: EventDefinition): string {
  return `${name}.v${version}`;
}
