import { type Command, InvalidArgumentError, Option } from 'commander';
import { run, type Session } from './command.ts';
import { plain, tint } from './output.ts';

interface Token {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly created_at: string;
  readonly expires_at: string | null;
  readonly revoked_at: string | null;
}

const ALL = '/api/neira/tokens';
const UNITS_MS = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

export function addToken(program: Command): void {
  const token = program.command('token').description('make, list and revoke tokens');
  token
    .command('create')
    .description('make a token; it is shown this once')
    .requiredOption('--name <name>', 'what it is for')
    .addOption(
      new Option('--scope <scope>', 'what it may do')
        .choices(['read', 'write', 'admin'])
        .makeOptionMandatory(),
    )
    .option(
      '--expires <when>',
      'a time like 2030-01-31, or a span like 90m, 12h, 30d; never by default',
      readExpiry,
    )
    .action(run(create));
  token.command('list').description('every token, without its secret').action(run(list));
  token.command('revoke').argument('<id>').description('make a token useless at once').action(run(revoke));
}

interface CreateOptions {
  readonly name: string;
  readonly scope: string;
  readonly expires?: string;
}

async function create({ out, host }: Session, { name, scope, expires }: CreateOptions): Promise<void> {
  const draft = { name, scopes: [scope], ...(expires !== undefined && { expires_at: expires }) };
  const made = await (await host()).send<Token & { token: string }>('POST', ALL, draft);
  out.result(made, () => {
    out.line(made.token);
    out.remark(
      `Token ${made.id} with scope ${scope}, ${made.expires_at === null ? 'without end' : `until ${made.expires_at}`}. It is not shown again.`,
    );
  });
}

async function list({ out, host }: Session): Promise<void> {
  const body = await (await host()).get<{ tokens: Token[] }>(ALL);
  out.result(body, () =>
    out.table(
      ['id', 'name', 'scopes', 'made', 'state'],
      body.tokens.map((each) => [
        each.id,
        plain(each.name),
        each.scopes.join(' '),
        each.created_at,
        stateOf(each),
      ]),
    ),
  );
}

async function revoke({ out, host }: Session, id: string): Promise<void> {
  await (await host()).send('DELETE', `${ALL}/${encodeURIComponent(id)}`);
  out.result({ revoked: id }, () => out.line(`${id} is revoked.`));
}

function stateOf({ revoked_at, expires_at }: Token): string {
  if (revoked_at !== null) return tint('faint', `revoked ${revoked_at}`);
  if (expires_at === null) return 'valid';
  return Date.parse(expires_at) < Date.now()
    ? tint('faint', `expired ${expires_at}`)
    : `valid until ${expires_at}`;
}

function readExpiry(text: string): string {
  const [, count, unit] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
  const atMs =
    count === undefined
      ? Date.parse(text)
      : Date.now() + Number(count) * UNITS_MS[unit as keyof typeof UNITS_MS];
  if (Number.isNaN(atMs)) throw new InvalidArgumentError('It is neither a time nor a span.');
  if (atMs <= Date.now()) throw new InvalidArgumentError('It is over already.');
  return new Date(atMs).toISOString();
}
