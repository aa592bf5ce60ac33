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

async function status({ out, host }: Session): Promise<void> {
  const client = await host();
  const health = await client.get<{ status: string; mode: string; version: string }>('/healthz');
  const [{ plugins }, { gates }] = await Promise.all([
    client.get<{ plugins: { id: string; state: string; active: boolean }[] }>('/api/neira/plugins'),
    client.get<{ gates: { id: string; stage: string }[] }>('/api/neira/gates'),
  ]);
  const open = gates.filter((gate) => gate.stage !== 'locked').map((gate) => gate.id);
  const quarantined = plugins.filter((plugin) => plugin.state === 'quarantined').map((plugin) => plugin.id);
  const active = plugins.filter((plugin) => plugin.active).length;
  const document = {
    url: client.url,
    ...health,
    plugins: { registered: plugins.length, active, quarantined },
    open_gates: open,
  };
  out.result(document, () => {
    out.line(
      `${client.url} is ${tint(health.status === 'ok' ? 'good' : 'warn', health.status)}, version ${health.version}.`,
    );
    out.line(`Mode: ${health.mode === 'safe' ? tint('warn', 'safe') : health.mode}`);
    out.line(
      `Plugins: ${plugins.length} registered, ${active} active${quarantined.length > 0 ? `, quarantined: ${quarantined.join(', ')}` : ''}`,
    );
    out.line(`Open gates: ${open.length > 0 ? open.join(', ') : 'none'} of ${gates.length}`);
  });
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
