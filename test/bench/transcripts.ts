/** What it costs to record every turn, and how fast recorded turns run again. */
import { jobOf, openBusHost } from './bus-host.ts';
import { cpuMicros, type Driven, drive } from './bus-work.ts';
import { atLeast, atMost, median, ms, type Row, ratio, type Section, times, us } from './kit.ts';

const PLUGIN = 'bench.recorded';
const IN_FLIGHT = 64;
const WARM_UP_MS = 2000;
const ROUNDS = 9;
const ROUND_MS = 1200;
const REPLAYED = 1000;
const REHEARSED = 100;
const REPLAYS = 9;

export async function run(): Promise<Section> {
  await using recorded = await openBusHost();
  await using plain = await openBusHost({ transcripts: false });
  const sides = await Promise.all(
    [recorded, plain].map(async (host) => {
      await host.register([PLUGIN]);
      const driver = {
        send: (job: unknown) => host.send(jobOf(PLUGIN), job),
        cpuMicros: async () => cpuMicros(),
      };
      return { driver, rounds: [] as Driven[] };
    }),
  );
  for (let round = -1; round < ROUNDS; round++) {
    for (const { driver, rounds } of sides) {
      const driven = await drive(driver, IN_FLIGHT, round < 0 ? WARM_UP_MS : ROUND_MS);
      if (round >= 0) rounds.push(driven);
    }
  }
  const [withIt, without] = sides.map(({ rounds }) => rounds) as [Driven[], Driven[]];
  const perSecond = (rounds: readonly Driven[]) => rounds.map((each) => each.perSecond);
  const row = (what: string, rounds: readonly Driven[]): Row => ({
    what,
    figure: `${Math.round(median(perSecond(rounds)))} jobs/s, CPU a job ${us(median(rounds.map((each) => each.cpuMicros)))}`,
  });
  const replays = await timed(() => recorded.replay(PLUGIN, REPLAYED));
  const rehearsals = await timed(() => recorded.replay(PLUGIN, REHEARSED));
  const original = (1000 / median(perSecond(withIt))) * REPLAYED;
  return {
    name: 'transcripts (in-process, durability power)',
    rows: [
      row('recorded', withIt),
      row('not recorded', without),
      atLeast(
        'recorded : not recorded, jobs a second',
        ratio(perSecond(withIt), perSecond(without)),
        0.85,
        times,
      ),
      { what: `${REPLAYED} turns run again, with their comparison`, figure: ms(median(replays)) },
      atLeast('replay : original, turns a second', original / median(replays), 1, times),
      atMost(`rehearsal of ${REHEARSED} turns`, median(rehearsals), 100, ms),
    ],
    notes: [
      `${ROUNDS} rounds of ${ROUND_MS / 1000} s at ${IN_FLIGHT} in flight, taking turns, medians, ratios by round; the job of the bus section`,
      `a replay reads the transcripts, runs the turns in one spare cell and compares everything; ${REPLAYS} of each, medians`,
    ],
  };
}

async function timed(replay: () => Promise<number>): Promise<readonly number[]> {
  const found: number[] = [];
  for (let index = 0; index < REPLAYS; index++) {
    const started = performance.now();
    const same = await replay();
    found.push(performance.now() - started);
    if (same === 0) throw new Error('no recorded turn came out the same');
  }
  return found;
}
