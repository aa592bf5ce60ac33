import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import { run, type Session } from './command.ts';
import { tint } from './output.ts';

interface Secret {
  readonly name: string;
  readonly version: number;
  readonly set_at: string;
  readonly usable: boolean;
  readonly grants: readonly {
    readonly plugin: string;
    readonly hosts: readonly string[];
    readonly reveal: boolean;
  }[];
}

const ALL = '/api/neira/secrets';

export function addSecret(program: Command): void {
  const secret = program.command('secret').description('set, list and remove secrets of plugins');
  secret
    .command('set')
    .argument('<name>', 'like weather.api_key')
    .argument('[value...]', 'refused: it is asked for, or read from stdin')
    .description('set a secret; it is typed unseen on a terminal, else read from stdin')
    .action(run(set));
  secret.command('list').description('every secret and its grants, without the values').action(run(list));
  secret
    .command('rm')
    .argument('<name>')
    .description('remove a secret; it goes on being masked while the host runs')
    .action(run(remove));
  secret.command('rotate-key').description('seal all secrets with a new master key').action(run(rotateKey));
}

async function set(session: Session, name: string, given: readonly string[]): Promise<void> {
  if (given.length > 0) {
    session.usage(
      'a secret is not an argument: other users see arguments in the list of processes, and shells keep them. ' +
        'Type it when asked, or pipe it: `neira secret set <name> < file`',
    );
  }
  const { out, host } = session;
  const client = await host();
  const value = process.stdin.isTTY ? await askUnseen(`Value of ${name}: `) : await text(process.stdin);
  if (value === undefined) session.usage('no value was typed; nothing is set');
  // The line break is the terminal's, not the secret's.
  const body = { value: value.replace(/\r?\n$/, '') };
  const made = await client.send<Secret>('PUT', one(name), body);
  out.result(made, () => out.line(`${made.name} is set, version ${made.version}.`));
}

/** One line of the terminal, of which nothing is shown; undefined when it is broken off. */
async function askUnseen(question: string): Promise<string | undefined> {
  process.stderr.write(question);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true, historySize: 0 });
  try {
    return await new Promise((resolve) => {
      lines.once('line', resolve);
      lines.once('SIGINT', () => resolve(undefined));
      lines.once('close', () => resolve(undefined));
    });
  } finally {
    lines.close();
    process.stderr.write('\n');
  }
}

async function list({ out, host }: Session): Promise<void> {
  const body = await (await host()).get<{ secrets: Secret[] }>(ALL);
  out.result(body, () =>
    out.table(
      ['name', 'version', 'set', 'granted to'],
      body.secrets.map(({ name, version, set_at, usable, grants }) => [
        name,
        String(version),
        usable ? set_at : tint('bad', 'no key opens it'),
        grants.map(grantText).join(', '),
      ]),
    ),
  );
}

function grantText({ plugin, hosts, reveal }: Secret['grants'][number]): string {
  const ways = [...hosts.map((host) => `for ${host}`), ...(reveal ? ['in the clear'] : [])];
  return `${plugin} ${ways.join(' and ')}`;
}

async function remove({ out, host }: Session, name: string): Promise<void> {
  await (await host()).send('DELETE', one(name));
  out.result({ removed: name }, () => out.line(`${name} is removed.`));
}

async function rotateKey({ out, host }: Session): Promise<void> {
  const done = await (await host()).send<{ secrets: number }>('POST', `${ALL}/rotate-key`);
  out.result(done, () => {
    out.line(`${done.secrets} secrets are sealed with a new key.`);
    out.remark('Backups made before hold what the old key opens.');
  });
}

function one(name: string): string {
  return `${ALL}/${encodeURIComponent(name)}`;
}
