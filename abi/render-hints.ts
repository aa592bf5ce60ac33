/** Hints for a language model that writes plugins: every event that there is, and how to publish it (BUS-45). */
import { HOST_NAMESPACES } from '../host/bus/envelope.ts';
import { REPLY_SUFFIX } from '../host/bus/event-names.ts';
import type { EventDefinition } from '../host/bus/event-registry.ts';
import { anonymous } from '../host/bus/event-schema.ts';
import { fqdn } from './render-events.ts';

export function renderHints(events: readonly EventDefinition[]): string {
  return `${[
    '# Events for plugins',
    '',
    '<!-- Generated from abi/events and the bundled plugins by `npm run gen`. Do not edit. -->',
    '',
    'Rules, without exception:',
    '',
    '1. Use only events of the list below, each by its full name and major version. Do not invent one. Where none',
    '   fits, add one to the plugin: `events/<namespace>/<name>/v1/schema.json` (`neira events scaffold` writes it).',
    '2. The payload passes the schema: every required field, no field that it does not name.',
    '3. Give the event and its payload only. The host fills the envelope: `id`, `ts`, `source`, `correlation_id`,',
    '   `causation_id`, `tenant`.',
    '4. Name what you publish under `publishes` in `manifest.yaml`, and what you want to hear under `subscribes`.',
    `5. Only the host publishes ${HOST_NAMESPACES.map((each) => `\`${each}.\``).join(', ')}: subscribe to these, never publish them.`,
    '6. A command asks for something and is answered by its reply. An event says what has happened.',
    '',
    'Check an envelope with `neira events validate <event.json>`. The schemas are in `abi/events/_dist/registry.json`,',
    'the types of the payloads in `abi/types/events.d.ts`, envelopes that are right and wrong in `abi/events/fixtures/`.',
    '',
    '## The events',
    ...events.flatMap(section),
  ].join('\n')}\n`;
}

function section(event: EventDefinition): string[] {
  const { name, version, kind, status, owner, requiredHeaders, semantics } = event;
  const facts = [
    kind === 'command' ? `command, answered by \`${name}${REPLY_SUFFIX}@${version}\`` : kind,
    ...(status === 'stable' ? [] : [`**${status}**`]),
    ...(owner === 'host' ? [] : [`of plugin \`${owner}\``]),
    ...requiredHeaders.map((each) => `needs the header \`${each}\``),
    ...(semantics.idempotencyKey === null ? [] : [`repeats are told by \`${semantics.idempotencyKey}\``]),
  ];
  const payload = (event.example as { payload?: unknown } | null)?.payload;
  const { title: _title, description: _description, ...schema } = anonymous(event.schema);
  return [
    '',
    `### \`${fqdn(event)}\``,
    '',
    `${event.summary} (${facts.join('; ')})`,
    '',
    'Schema of the payload:',
    '',
    '```json schema',
    JSON.stringify(schema),
    '```',
    ...(payload === undefined
      ? []
      : ['', 'A payload:', '', '```json', JSON.stringify(payload), '```', ...use(event, payload)]),
  ];
}

function use({ name, version, owner, kind }: EventDefinition, payload: unknown): string[] {
  const isHosts = (HOST_NAMESPACES as readonly string[]).includes(name.split('.')[0]!);
  if (isHosts || kind === 'reply' || owner !== 'host') return [];
  const at = version === 1 ? '' : `, ${version}`;
  return ['', '```ts', `publish('${name}', ${JSON.stringify(payload)}${at});`, '```'];
}
