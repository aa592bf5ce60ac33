/** What can be done with the files of events where no host runs: lint, scaffold, validate, docs (BUS-41…44). */
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { checkEvent, type FindEvent } from '../bus/event-check.ts';
import { readEventTexts } from '../bus/event-disk.ts';
import { INDEX_FILE, readEventFolders } from '../bus/event-files.ts';
import type { EventFinding } from '../bus/event-finding.ts';
import { lintEvents } from '../bus/event-lint.ts';
import { isEventName, MAX_EVENT_VERSION } from '../bus/event-names.ts';
import { generatedEvents, HOST_OWNER } from '../bus/event-registry.ts';
import { type Problem, parseYaml } from '../schema.ts';
import { run, type Session } from './command.ts';
import { buildDocs } from './events-docs.ts';
import { scaffold } from './events-scaffold.ts';
import { plain, tint } from './output.ts';

/** Of the checkout; the events of the host. */
export const HOST_EVENTS = fileURLToPath(new URL('../../abi/events', import.meta.url));

/** Adds what needs no host to `neira events`. */
export function addEventFiles(events: Command): void {
  events
    .command('registry')
    .description('the files that events are described in')
    .command('lint')
    .argument('[folder]', 'the events of the host, a plugin, or its `events` folder', HOST_EVENTS)
    .description('check index, folders, schemas, examples and what was released; needs no host')
    .action(run(lint));
  events
    .command('scaffold')
    .argument('<name>', 'for example weather.forecast.published', readName)
    .description('write folder, schema and example of a new event; needs no host')
    .addOption(
      new Option('--kind <kind>', 'a command gets its reply').choices(['event', 'command']).default('event'),
    )
    .option('--version <major>', 'its major version', readVersion, 1)
    .option(
      '--dir <folder>',
      'a plugin, or a folder of events; the plugin one is in, else the events of the host',
    )
    .action(run(create));
  events
    .command('validate')
    .argument('<event.json...>', 'files with one envelope each; `-` is standard input')
    .description('check envelopes and their payloads, as on publish; needs no host')
    .option('--events <folder...>', 'plugins whose own events count too')
    .action(run(validate));
  events
    .command('docs')
    .description('reference pages')
    .command('build')
    .description('write one page for each event; needs no host')
    .option('--out <folder>', 'where to', join('docs', 'events'))
    .option('--events <folder...>', 'plugins whose own events get pages too')
    .action(run(docs));
}

async function lint({ out }: Session, given: string): Promise<void> {
  const folder = eventsIn(given);
  const find = finder([]);
  const findings = lintEvents(readEventTexts(folder), folder === HOST_EVENTS ? {} : { find });
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  out.result({ folder, ok: errors === 0, findings }, () => {
    for (const each of findings) printFinding(out.remark, each);
    out.line(`${plain(given)}: ${count(errors, 'error')}, ${count(findings.length - errors, 'warning')}`);
  });
  if (errors > 0) process.exitCode = 1;
}

interface CreateOptions {
  readonly kind: 'event' | 'command';
  readonly version: number;
  readonly dir?: string;
}

async function create(
  { out }: Session,
  name: string,
  { kind, version, dir = isPlugin('.') ? '.' : HOST_EVENTS }: CreateOptions,
): Promise<void> {
  const folder = eventsIn(dir);
  const files = await scaffold({ folder, name, kind, version, owner: ownerOf(folder) });
  out.result({ name, version, kind, folder, files }, () => {
    for (const file of files) out.line(join(folder, file));
    out.remark(
      `Describe the payload in \`schema.json\`, then check it with \`neira events registry lint ${dir}\`.`,
    );
  });
}

async function validate(
  session: Session,
  files: readonly string[],
  { events = [] }: { events?: readonly string[] },
): Promise<void> {
  const { out } = session;
  const find = finder(events);
  const checked = files.map((file) => ({ file, ...checkFile(file, find) }));
  const bad = checked.filter(({ problems }) => problems.length > 0);
  const results = checked.map(({ file, event, problems, definition }) => ({
    file,
    event,
    valid: problems.length === 0,
    deprecated: definition?.status === 'deprecated',
    errors: problems,
  }));
  out.result({ ok: bad.length === 0, results }, () => {
    for (const { file, event, valid, deprecated, errors } of results) {
      if (valid) out.line(`${plain(file)}: ${tint('good', 'valid')} ${plain(event)}`);
      if (deprecated) out.remark(`${plain(file)}: ${plain(event)} is deprecated`);
      for (const { path, message } of errors) out.remark(`${plain(file)}: ${plain(path)} ${plain(message)}`);
    }
  });
  if (bad.length > 0) process.exitCode = 1;
}

async function docs(
  { out }: Session,
  { out: target, events = [] }: { out: string; events?: readonly string[] },
): Promise<void> {
  const known = [...generatedEvents(), ...events.flatMap(eventsOfPlugin)];
  const files = await buildDocs(known, resolve(target));
  out.result({ folder: resolve(target), files }, () =>
    out.line(`Wrote ${files.length} pages to ${plain(target)}.`),
  );
}

/** The folder of events that `given` is or holds. A plugin need not have one yet. */
function eventsIn(given: string): string {
  const folder = resolve(given);
  return isPlugin(folder) ? join(folder, 'events') : folder;
}

function isPlugin(folder: string): boolean {
  return manifestIn(folder) !== undefined;
}

function manifestIn(folder: string): string | undefined {
  const names = ['manifest.yaml', 'manifest.yml', 'manifest.json'];
  return names.map((name) => join(folder, name)).find((file) => existsSync(file));
}

/** Who the events of a folder belong to, for the index and the examples. */
function ownerOf(folder: string): string {
  if (existsSync(join(folder, INDEX_FILE))) return HOST_OWNER;
  const home = dirname(folder);
  const manifest = manifestIn(home);
  const { id } = (manifest ? parseYaml(readFileSync(manifest, 'utf8'), manifest) : {}) as { id?: unknown };
  return typeof id === 'string' ? id : basename(home);
}

/** The generated registry, and before it what lies in `folders`: there an event may be newer. */
function finder(folders: readonly string[]): FindEvent {
  const known = [...folders.flatMap(eventsOfPlugin), ...generatedEvents()];
  return (name, version) => known.find((each) => each.name === name && each.version === version);
}

function eventsOfPlugin(given: string) {
  const folder = eventsIn(given);
  const texts = readEventTexts(folder);
  return readEventFolders(texts, ownerOf(folder), texts.has(INDEX_FILE)).events.map(
    ({ definition }) => definition,
  );
}

function checkFile(file: string, find: FindEvent): ReturnType<typeof checkEvent> {
  const unreadable = (message: string) => ({
    event: null,
    problems: [{ path: '$', message }] satisfies Problem[],
  });
  let text: string;
  try {
    text = readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    return unreadable(`cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  try {
    return checkEvent(JSON.parse(text), find);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return unreadable(`is not JSON: ${error.message}`);
  }
}

function printFinding(
  print: (text: string) => void,
  { severity, rule, file, pointer, message, remedy }: EventFinding,
) {
  const word =
    severity === 'error' ? tint('bad', 'error', process.stderr) : tint('warn', 'warning', process.stderr);
  print(`${word} ${rule}: ${plain(file)}${plain(pointer && `#${pointer}`)}: ${plain(message)}`);
  print(`  ${plain(remedy)}`);
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}

function readName(text: string): string {
  if (isEventName(text)) return text;
  throw new InvalidArgumentError(
    'It must be parts of lower-case letters, digits and `_`, with dots between them.',
  );
}

function readVersion(text: string): number {
  const version = Number(text);
  if (Number.isInteger(version) && version >= 1 && version <= MAX_EVENT_VERSION) return version;
  throw new InvalidArgumentError(`It must be a whole number from 1 to ${MAX_EVENT_VERSION}.`);
}
