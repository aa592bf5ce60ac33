import { openAsBlob } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { NeiraError } from '../errors.ts';
import type { Session } from './command.ts';
import { run } from './command.ts';
import { plain, type Tone, tint, titleOf } from './output.ts';
import { addPrincipals, grantPrincipal } from './plugin-principals.ts';
import { addRehearsal } from './plugin-rehearsal.ts';
import { addSign } from './plugin-sign.ts';

interface Plugin {
  readonly id: string;
  readonly version: string;
  readonly kind: string;
  readonly state: string;
  readonly gate: string;
  readonly gate_stage: string;
  readonly active: boolean;
  readonly reason?: string;
  readonly last_error?: ErrorView;
}

interface ErrorView {
  readonly code: string;
  readonly message: string;
  readonly at: string;
  readonly file?: string;
  readonly line?: number;
}

interface PluginDetail extends Plugin {
  readonly title: unknown;
  readonly manifest: { readonly permissions?: unknown };
  readonly grants: unknown;
  readonly pending_consent: unknown;
  readonly path: string;
  readonly origin: string;
  readonly signed_by: string | null;
  readonly versions: readonly { version: string; digest: string; at: string; current: boolean }[];
  readonly counters: Readonly<Record<string, number>>;
  readonly recent_errors: readonly ErrorView[];
}

const ALL = '/api/neira/plugins';
const one = (id: string, rest = '') => `${ALL}/${encodeURIComponent(id)}${rest}`;

export function addPlugin(program: Command): void {
  const plugin = program.command('plugin').description('list, add, change and remove plugins');

  plugin.command('list').description('every registered plugin').action(run(list));
  plugin.command('catalog').description('bundled plugins, registered or not').action(run(catalog));
  plugin
    .command('show')
    .argument('<id>')
    .description('one plugin with grants, versions and recent errors')
    .action(run(show));
  plugin
    .command('add')
    .argument('<source>', 'a folder, a zip, or with --catalog the id of a bundled plugin')
    .description('register a plugin, or update the one with its id')
    .option('--catalog', 'take the bundled plugin of that id')
    .option('--enable', 'enable it at once')
    .addOption(new Option('--grant <what>', 'grant what its manifest asks for').choices(['all']))
    .action(run(add));
  for (const [verb, what] of [
    ['enable', 'let a plugin take events'],
    ['disable', 'stop a plugin; what waits for it is kept'],
    ['reload', 'read a plugin from its source again'],
  ] as const) {
    plugin
      .command(verb)
      .argument('<id>')
      .description(what)
      .action(run((session, id: string) => change(session, 'POST', one(id, `/${verb}`))));
  }
  addRehearsal(plugin);
  plugin
    .command('rollback')
    .argument('<id>')
    .description('put a plugin back on its previous version')
    .option('--to <version>', 'on this version')
    .action(
      run((session, id: string, { to }: { to?: string }) =>
        change(session, 'POST', one(id, '/rollback'), to === undefined ? {} : { version: to }),
      ),
    );
  plugin
    .command('remove')
    .argument('<id>')
    .description('remove a plugin; its data is kept')
    .option('--drop-data', 'delete what it stored, too')
    .action(run(remove));
  plugin
    .command('grant')
    .argument('<id>')
    .argument('[permissions]', 'as JSON, of the shape of `permissions` in the manifest', readObject)
    .description('grant what the manifest asks for')
    .option('--all', 'grant all of it')
    .option('--principal <id>', 'grant what this principal of the plugin asks for')
    .action(run(grant));
  plugin
    .command('settings')
    .argument('<id>')
    .argument('[values]', 'new values, as JSON', readObject)
    .description("show the values of the manifest's settings, or replace them")
    .action(run(settings));
  plugin
    .command('logs')
    .argument('<id>')
    .description('what a plugin logged')
    .option('--limit <lines>', 'at most this many', readCount, 100)
    .action(run(logs));
  addPrincipals(plugin);
  addSign(plugin);
}

async function list({ out, host }: Session): Promise<void> {
  const body = await (await host()).get<{ plugins: Plugin[] }>(ALL);
  out.result(body, () => {
    if (body.plugins.length === 0)
      return out.remark('No plugin is registered. `neira plugin catalog` lists the bundled ones.');
    out.table(
      ['id', 'version', 'kind', 'state', 'active', 'why not'],
      body.plugins.map((each) => [
        each.id,
        each.version,
        each.kind,
        toned(each.state),
        each.active ? 'yes' : 'no',
        plain(each.reason),
      ]),
    );
    for (const { id, active, last_error: error } of body.plugins)
      if (active && error) out.remark(`${id}: what was saved last does not run: ${failureOf(error)}`);
  });
}

async function catalog({ out, host }: Session): Promise<void> {
  type Row = { id: string; version: string; kind: string; title: unknown; registered: boolean };
  const body = await (await host()).get<{ plugins: Row[] }>('/api/neira/catalog');
  out.result(body, () =>
    out.table(
      ['id', 'version', 'kind', 'registered', 'title'],
      body.plugins.map((each) => [
        each.id,
        each.version,
        each.kind,
        each.registered ? 'yes' : 'no',
        titleOf(each.title),
      ]),
    ),
  );
}

async function show({ out, host }: Session, id: string): Promise<void> {
  const found = await (await host()).get<PluginDetail>(one(id));
  out.result(found, () => {
    out.table(
      ['field', 'value'],
      [
        ['id', found.id],
        ['title', titleOf(found.title)],
        ['version', found.version],
        ['kind', found.kind],
        ['state', toned(found.state)],
        ['active', found.active ? 'yes' : `no: ${plain(found.reason)}`],
        ...(found.last_error ? [['last error', failureOf(found.last_error)]] : []),
        ['gate', `${found.gate} (${found.gate_stage})`],
        ['granted', compact(found.grants)],
        ['waits for consent', compact(found.pending_consent)],
        ['source', `${found.origin} ${plain(found.path)}`],
        ['signed by', found.signed_by ?? 'nobody'],
        ...Object.entries(found.counters).map(([name, count]): [string, string] => [name, String(count)]),
      ],
    );
    out.table(
      ['version', 'since', 'digest', ''],
      found.versions.map((each) => [
        each.version,
        each.at,
        each.digest.slice(0, 12),
        each.current ? 'serving' : '',
      ]),
    );
    if (found.recent_errors.length > 0) {
      out.table(
        ['at', 'code', 'what', 'where'],
        found.recent_errors.map((each) => [
          each.at,
          each.code,
          plain(each.message),
          each.file === undefined ? '' : `${plain(each.file)}:${each.line ?? '?'}`,
        ]),
      );
    }
  });
}

function failureOf({ message, file, line }: ErrorView): string {
  return file === undefined ? plain(message) : `${plain(message)} (${plain(file)}:${line ?? '?'})`;
}

interface AddOptions {
  readonly catalog?: true;
  readonly enable?: true;
  readonly grant?: 'all';
}

async function add({ out, host }: Session, source: string, options: AddOptions): Promise<void> {
  const query = new URLSearchParams();
  if (options.enable) query.set('enable', '1');
  if (options.grant !== undefined) query.set('grant', options.grant);
  const body = options.catalog ? { catalog: source } : await readSource(source);
  const path = query.size > 0 ? `${ALL}?${query}` : ALL;
  report(out, await (await host()).send<PluginDetail>('POST', path, body));
}

/** A folder goes as its path, because the host watches it where it lies; a file as its bytes. */
async function readSource(source: string): Promise<{ path: string } | FormData> {
  const found = await stat(source).catch((error: NodeJS.ErrnoException) => {
    throw new NeiraError('NEIRA_SOURCE_REFUSED', { reason: `\`${source}\` cannot be read (${error.code})` });
  });
  if (found.isDirectory()) return { path: await realpath(source) };
  const form = new FormData();
  form.set('plugin', await openAsBlob(source), basename(source));
  return form;
}

async function change(
  { out, host }: Session,
  method: 'POST' | 'PUT',
  path: string,
  body?: unknown,
): Promise<void> {
  report(out, await (await host()).send<PluginDetail>(method, path, body));
}

async function remove({ out, host }: Session, id: string, { dropData }: { dropData?: true }): Promise<void> {
  await (await host()).send('DELETE', one(id, dropData ? '?data=drop' : ''));
  out.result({ removed: id, data: dropData ? 'dropped' : 'kept' }, () =>
    out.line(`${id} is removed; its data is ${dropData ? 'deleted' : 'kept'}.`),
  );
}

async function grant(
  session: Session,
  id: string,
  permissions: object | undefined,
  { all, principal }: { all?: true; principal?: string },
): Promise<void> {
  if ((permissions === undefined) === (all === undefined))
    session.usage('give either --all or the permissions as JSON');
  if (principal !== undefined) return grantPrincipal(session, id, principal, permissions);
  const host = await session.host();
  const wanted = permissions ?? (await host.get<PluginDetail>(one(id))).manifest.permissions ?? {};
  await change({ ...session, host: async () => host }, 'PUT', one(id, '/grants'), { permissions: wanted });
}

async function settings({ out, host }: Session, id: string, values: object | undefined): Promise<void> {
  const client = await host();
  const path = one(id, '/settings');
  type Settings = { settings: unknown; schema: unknown };
  const body =
    values === undefined
      ? await client.get<Settings>(path)
      : await client.send<Settings>('PUT', path, { settings: values });
  out.result(body, () => out.line(JSON.stringify(body.settings, null, 2)));
}

async function logs({ out, host }: Session, id: string, { limit }: { limit: number }): Promise<void> {
  type Line = { ts: string; level: string; message: string; turn: string; principal?: string };
  const body = await (await host()).get<{ lines: Line[] }>(one(id, `/logs?limit=${limit}`));
  out.result(body, () => {
    for (const { ts, level, message, principal } of body.lines) {
      const as = principal === undefined ? '' : ` [${plain(principal)}]`;
      out.line(`${tint('faint', ts)} ${level}${as} ${plain(message)}`);
    }
  });
}

/** What became of a plugin, and what still stands in its way. */
function report(out: Session['out'], found: PluginDetail): void {
  out.result(found, () => {
    out.line(`${found.id} ${found.version} is ${toned(found.state)}${found.active ? ' and active' : ''}.`);
    if (!found.active && found.reason !== undefined) out.remark(`It is not active: ${plain(found.reason)}.`);
    if (found.active && found.last_error) {
      out.remark(`What was saved last does not run: ${failureOf(found.last_error)}`);
    }
    if (!isEmpty(found.pending_consent)) {
      out.remark(
        `It asks for ${compact(found.pending_consent)}; grant it with \`neira plugin grant ${found.id} --all\`.`,
      );
    }
  });
}

function toned(state: string): string {
  const tones: Readonly<Record<string, Tone>> = { enabled: 'good', quarantined: 'bad', disabled: 'faint' };
  const tone = tones[state];
  return tone === undefined ? state : tint(tone, state);
}

function compact(value: unknown): string {
  return isEmpty(value) ? 'nothing' : plain(JSON.stringify(value));
}

function isEmpty(value: unknown): boolean {
  return typeof value !== 'object' || value === null || Object.keys(value).length === 0;
}

function readObject(text: string): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new InvalidArgumentError('It is not JSON.');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new InvalidArgumentError('It is not a JSON object.');
  return value;
}

export function readCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > 1000)
    throw new InvalidArgumentError('It must be 1 to 1000.');
  return count;
}
