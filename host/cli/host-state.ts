import { Argument, type Command } from 'commander';
import { run, type Session } from './command.ts';
import { tint } from './output.ts';

/** `up`, `status`, `mode`: the host as a whole. */
export function addHostState(program: Command): void {
  program
    .command('up')
    .description('start the host in this process')
    .option('--safe', 'in safe mode')
    .action(run(up));
  program.command('status').description('what the host is doing').action(run(status));
  program
    .command('mode')
    .addArgument(new Argument('[mode]', 'enter this mode').choices(['safe', 'normal']))
    .description('show the mode of the host, or change it')
    .action(run(mode));
}

async function up(_session: Session, { safe }: { safe?: true }): Promise<void> {
  // By address: the command line depends on the host's code here and nowhere else.
  const { main } = (await import(new URL('../main.ts', import.meta.url).href)) as {
    main(argv: readonly string[]): Promise<unknown>;
  };
  await main(safe ? ['--safe'] : []);
}

interface Status {
  readonly status: string;
  readonly mode: string;
  readonly version: string;
  readonly uptime_seconds: number;
  readonly plugins: {
    readonly registered: number;
    readonly active: number;
    readonly disabled: number;
    readonly quarantined: readonly string[];
  };
  readonly gates: number;
  readonly open_gates: readonly string[];
  readonly events: { readonly published: number };
  readonly deliveries: Readonly<Record<string, number>>;
  readonly turns: { readonly count: number; readonly p50_ms: number | null; readonly p95_ms: number | null };
  readonly commits: { readonly count: number; readonly median_records: number | null };
  readonly cell_kills: number;
  readonly memory: { readonly resident_bytes: number };
}

async function status({ out, host }: Session): Promise<void> {
  const client = await host();
  const now = await client.get<Status>('/api/neira/status');
  out.result({ url: client.url, ...now }, () => {
    const health = tint(now.status === 'ok' ? 'good' : 'warn', now.status);
    out.line(`${client.url} is ${health}, version ${now.version}, up ${span(now.uptime_seconds)}.`);
    out.line(`Mode: ${now.mode === 'safe' ? tint('warn', 'safe') : now.mode}`);
    out.line(`Plugins: ${pluginsLine(now.plugins)}`);
    out.line(`Open gates: ${now.open_gates.length > 0 ? now.open_gates.join(', ') : 'none'} of ${now.gates}`);
    out.table(['since it started', ''], figures(now));
  });
}

function pluginsLine({ registered, active, disabled, quarantined }: Status['plugins']): string {
  const parts = [`${registered} registered`, `${active} active`];
  if (disabled > 0) parts.push(`${disabled} disabled`);
  if (quarantined.length > 0) parts.push(tint('bad', `quarantined: ${quarantined.join(', ')}`));
  return parts.join(', ');
}

function figures({ events, deliveries, turns, commits, cell_kills, memory }: Status): [string, string][] {
  // `done` and `waiting` are always of interest, the others when there are any.
  const shown = Object.entries(deliveries).filter(
    ([name, count]) => count > 0 || name === 'done' || name === 'waiting',
  );
  const ms = (value: number | null) => (value === null ? '-' : `${value} ms`);
  return [
    ['events published', String(events.published)],
    ['deliveries', shown.map(([name, count]) => `${count} ${name}`).join(', ')],
    ['turns', `${turns.count}, p50 ${ms(turns.p50_ms)}, p95 ${ms(turns.p95_ms)}`],
    ['commits', `${commits.count}, median ${commits.median_records ?? '-'} records`],
    ['cells ended', String(cell_kills)],
    ['memory', `${Math.round(memory.resident_bytes / 1e6)} MB`],
  ];
}

/** `1 d 2 h`, `3 min`, `7 s`: the two largest units that say something. */
function span(seconds: number): string {
  const units = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ] as const;
  const first = units.findIndex(([count]) => count > 0);
  const said = units.slice(Math.max(first, 0), first + 2).filter(([count]) => count > 0);
  return said.map(([count, unit]) => `${count} ${unit}`).join(' ') || '0 s';
}

async function mode({ out, host }: Session, wanted: string | undefined): Promise<void> {
  const client = await host();
  const path = '/api/neira/mode';
  type Mode = { mode: string; since: string; reason?: string };
  const now =
    wanted === undefined
      ? await client.get<Mode>(path)
      : await client.send<Mode>('PUT', path, { mode: wanted });
  out.result(now, () => out.line(`The host is in ${now.mode} mode since ${now.since}.`));
}
