import { type Command, Option } from 'commander';
import { run, type Session } from './command.ts';
import { plain } from './output.ts';
import { type Difference, showDifferences } from './turns.ts';

interface Rehearsal {
  readonly mode: string;
  readonly last: {
    readonly at: string;
    readonly from: string;
    readonly to: string;
    readonly replayed: number;
    readonly same: number;
    readonly different: number;
    readonly not_comparable: number;
    readonly took_ms: number;
    readonly held: boolean;
    readonly turns: readonly {
      readonly turn: string;
      readonly event_name: string;
      readonly reason?: string;
      readonly differences: readonly Difference[];
    }[];
  } | null;
}

const MODES = ['off', 'report', 'block'] as const;
const DIGEST_CHARS = 12;

/** `plugin rehearse` and `plugin rehearsal`: what an edit changes, seen before it serves (design §1.3). */
export function addRehearsal(plugin: Command): void {
  plugin
    .command('rehearse')
    .argument('<id>')
    .addOption(
      new Option(
        '--mode <mode>',
        'what a difference does: nothing is looked at, it is shown, it keeps the old version',
      )
        .choices(MODES)
        .makeOptionMandatory(),
    )
    .description('say whether the last turns are run again on a new version before it serves')
    .action(run(setMode));
  plugin
    .command('rehearsal')
    .argument('<id>')
    .option('--accept', 'take over the version that was held back')
    .description('what the last new version did otherwise than the one before it')
    .action(run(rehearsal));
}

const placeOf = (id: string) => `/api/neira/plugins/${encodeURIComponent(id)}/rehearsal`;

async function setMode(session: Session, id: string, { mode }: { readonly mode: string }): Promise<void> {
  const answer = await (await session.host()).send<Rehearsal>('PUT', placeOf(id), { mode });
  session.out.result(answer, () =>
    session.out.line(`New versions of ${plain(id)}: rehearse ${answer.mode}.`),
  );
}

async function rehearsal(
  session: Session,
  id: string,
  { accept }: { readonly accept?: true },
): Promise<void> {
  const { out } = session;
  const host = await session.host();
  if (accept) {
    const taken = await host.send<{ version: string }>('POST', `${placeOf(id)}/accept`);
    return out.result(taken, () => out.line(`Version ${plain(taken.version)} of ${plain(id)} serves.`));
  }
  const answer = await host.get<Rehearsal>(placeOf(id));
  out.result(answer, () => {
    const { last, mode } = answer;
    if (!last) return out.remark(`No version of ${plain(id)} was rehearsed yet; the mode is ${mode}.`);
    const [from, to] = [last.from, last.to].map((digest) => digest.slice(0, DIGEST_CHARS));
    out.line(`${last.at}: the last ${last.replayed} turns of ${from} on ${to}, ${last.took_ms} ms`);
    out.line(`${last.same} the same, ${last.different} different, ${last.not_comparable} not comparable`);
    for (const { turn, event_name, reason, differences } of last.turns) {
      out.line(`${plain(turn)} (${plain(event_name)})${reason === undefined ? '' : ` – ${plain(reason)}`}`);
      showDifferences(session, differences);
    }
    if (last.held)
      out.remark(
        `The old version serves on; \`neira plugin rehearsal ${plain(id)} --accept\` takes the new one.`,
      );
  });
}
