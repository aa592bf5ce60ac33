/**
 * Commands that plugins bring: the host tells which there are, each becomes a command like the others here, and leads
 * to a call that its plugin answers. Nothing about any plugin is known to this program.
 */
import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { CommandView } from '../base/command-line.ts';
import { isNeiraError } from '../errors.ts';
import { type Client, connectHost, Refused } from './client.ts';
import { run, type Session } from './command.ts';
import { filesAt, writeFiles } from './contributed-files.ts';
import { follow } from './contributed-follow.ts';
import { printReply } from './contributed-reply.ts';
import { titleOf } from './output.ts';

export type Reply = Readonly<Record<string, unknown>>;

export function addCommands(program: Command): void {
  program
    .command('commands')
    .description('commands that plugins bring, which are called as the others are')
    .action(run(list));
}

async function list({ out, host }: Session): Promise<void> {
  const { commands } = await (await host()).get<{ commands: CommandView[] }>('/api/neira/commands');
  out.result({ commands }, () =>
    out.table(
      ['command', 'what it does', 'plugin', 'why not now'],
      commands.map(({ name, title, plugin, inactive = '' }) => [name, titleOf(title), plugin, inactive]),
    ),
  );
}

/**
 * Adds those that begin with this word, where the host has some.
 * @returns what is to be said where nobody could be asked
 */
export async function addContributed(program: Command, word: string): Promise<string | undefined> {
  let client: Client;
  try {
    client = await connectHost(process.env);
    const { commands } = await client.get<{ commands: CommandView[] }>('/api/neira/commands');
    for (const view of commands) if (view.name.split(' ', 1)[0] === word) addOne(program, view);
    return undefined;
  } catch (error) {
    if (error instanceof Refused) return `Which commands plugins bring was not told: ${error.message}`;
    if (!isNeiraError(error)) throw error;
    return 'Commands of plugins are known while their host runs; none answers.';
  }
}

function addOne(program: Command, view: CommandView): void {
  const words = view.name.split(' ');
  let parent = program;
  for (const word of words.slice(0, -1)) parent = groupOf(parent, word);
  const command = parent.command(words.at(-1)!).description(titleOf(view.title));
  const { files } = view;
  const named = Object.keys(view.properties).filter(
    (name) => !view.arguments.includes(name) && name !== files?.property && name !== files?.entry,
  );
  for (const name of view.arguments) {
    const isRequired = view.required.includes(name) || view.path.includes(`:${name}`);
    const shown = dashed(name);
    command.argument(isRequired ? `<${shown}>` : `[${shown}]`, describe(view.properties[name]), (text) =>
      readValue(text, view.properties[name]),
    );
  }
  if (files) command.argument('<path>', 'a folder, or one file');
  for (const name of named) command.addOption(optionOf(name, view));
  if (view.follow && !view.follow.always)
    command.option('--follow', 'print what happens, until it has ended; the exit code tells how');
  command.action(run((session, ...given) => call(session, view, given)));
}

function groupOf(parent: Command, word: string): Command {
  const known = parent.commands.find((each) => each.name() === word);
  return known ?? parent.command(word).description('of a plugin; `neira commands` lists them');
}

// --- what is given

type Property = CommandView['properties'][string] | undefined;

function optionOf(name: string, { properties, required }: CommandView): Option {
  const property = properties[name];
  const types = typesOf(property);
  const flag = `--${flagOf(name)}`;
  const option = new Option(
    types.length === 1 && types[0] === 'boolean' ? flag : `${flag} <${hintOf(property)}>`,
    types.includes('array')
      ? `${describe(property)} May be given more than once.`.trim()
      : describe(property),
  );
  if (required.includes(name)) option.makeOptionMandatory();
  const { enum: choices } = (property ?? {}) as { enum?: readonly unknown[] };
  if (choices?.every((each) => typeof each === 'string')) return option.choices(choices as string[]);
  if (types.includes('array'))
    return option.argParser((text: string, before: readonly unknown[] = []) => [
      ...before,
      readValue(text, itemsOf(property)),
    ]);
  return types[0] === 'boolean' && types.length === 1
    ? option
    : option.argParser((text) => readValue(text, property));
}

/** Names that mean something else to the program: its own options, and what commander reads as the contrary. */
const TAKEN = /^(?:no_.*|help|json|follow)$/;

function flagOf(name: string): string {
  return dashed(TAKEN.test(name) ? `with_${name}` : name);
}

function typesOf(property: Property): readonly string[] {
  return [property?.['type'] ?? []].flat() as string[];
}

function itemsOf(property: Property): Property {
  return property?.['items'] as Property;
}

function hintOf(property: Property): string {
  const types = typesOf(property);
  if (types.includes('array')) return hintOf(itemsOf(property));
  if (types.length === 1 && ['integer', 'number'].includes(types[0]!)) return 'number';
  return isText(property) ? 'text' : 'json';
}

function isText(property: Property): boolean {
  const types = typesOf(property);
  return types.length === 1 ? types[0] === 'string' : Array.isArray(property?.['enum']);
}

function describe(property: Property): string {
  return typeof property?.['description'] === 'string' ? property['description'] : '';
}

/** As the schema wants it; the host judges it. `@file.json` of what is no text is read there. @throws for commander */
function readValue(text: string, property: Property): unknown {
  const types = typesOf(property);
  if (isText(property)) return text;
  if (types.length === 1 && ['integer', 'number'].includes(types[0]!)) {
    if (/^-?\d+(?:\.\d+)?$/.test(text)) return Number(text);
    throw new InvalidArgumentError('It has to be a number.');
  }
  try {
    return JSON.parse(text.startsWith('@') ? readFileSync(text.slice(1), 'utf8') : text) as unknown;
  } catch {
    if (text.startsWith('@')) throw new InvalidArgumentError(`${text.slice(1)} is not there, or no JSON.`);
    if (types.includes('string') || types.length === 0) return text;
    throw new InvalidArgumentError(`It has to be JSON: ${types.join(' or ')}.`);
  }
}

function dashed(name: string): string {
  return name.replaceAll('_', '-');
}

// --- the call

async function call(session: Session, view: CommandView, given: readonly unknown[]): Promise<void> {
  const { files } = view;
  const options = given.at(-1) as Readonly<Record<string, unknown>>;
  const payload: Record<string, unknown> = {};
  for (const [place, name] of view.arguments.entries())
    if (given[place] !== undefined) payload[name] = given[place];
  for (const name of Object.keys(view.properties)) {
    const value = options[new Option(`--${flagOf(name)}`).attributeName()];
    if (value !== undefined && !view.arguments.includes(name)) payload[name] = value;
  }
  const path = files && String(given[view.arguments.length]);
  if (files && path !== undefined) {
    const found = await filesAt(path);
    payload[files.property] = found.files;
    if (files.entry !== undefined && found.entry !== undefined) payload[files.entry] = found.entry;
  }
  const client = await session.host();
  const since = new Date().toISOString();
  const reply = await ask(client, view, payload);
  if (files?.writes !== undefined && path !== undefined)
    await writeFiles(path, reply[files.writes], session.out.remark);
  const follows = view.follow && (view.follow.always === true || options['follow'] === true);
  printReply(session.out, view, reply, follows === true);
  if (isBad(reply, view)) process.exitCode = 1;
  if (view.follow && follows && !(await follow(session.out, client, view.follow, reply, since)))
    process.exitCode = 1;
}

async function ask(client: Client, view: CommandView, payload: Record<string, unknown>): Promise<Reply> {
  const rest = { ...payload };
  const path = view.path.replace(/:([a-z][a-z0-9_]*)/g, (_, name: string) => {
    const value = rest[name];
    delete rest[name];
    return encodeURIComponent(String(value));
  });
  if (view.method !== 'GET' && view.method !== 'DELETE')
    return (await client.send<Reply | undefined>(view.method as 'POST', path, rest)) ?? {};
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(rest))
    for (const each of [value].flat())
      query.append(name, typeof each === 'object' ? JSON.stringify(each) : String(each));
  const url = query.size > 0 ? `${path}?${query}` : path;
  const answer = view.method === 'GET' ? client.get<Reply>(url) : client.send<Reply>('DELETE', url);
  return (await answer) ?? {};
}

function isBad(reply: Reply, { fails_if: property }: CommandView): boolean {
  const value = property === undefined ? undefined : reply[property];
  return Array.isArray(value) ? value.length > 0 : Boolean(value);
}
