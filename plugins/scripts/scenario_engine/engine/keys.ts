/** Where the engine keeps what, in its own key space. Moments in keys have 15 digits, so that they sort. */

export const keys = {
  /** What is known of a scenario: which definition serves, whether it may run. */
  scenario: (id: string) => `scenario/${id}`,
  /** A definition, by its digest: never changed. */
  definition: (digest: string) => `definition/${digest}`,
  /** The author's files of a definition. */
  source: (digest: string, file: string) => `source/${digest}/${file}`,
  /** A run in short, for lists. */
  summary: (run: string) => `run/${run}`,
  /** A run as the interpreter knows it. */
  state: (run: string) => `state/${run}`,
  /** What happened to it, turn by turn. */
  journal: (run: string) => `journal/${run}`,
  /** Runs of a scenario, in the order in which they were created. */
  byScenario: (scenario: string, run = '') => `by/${scenario}/${run}`,
  /** Runs by the moment when they are forgotten. */
  expiry: (atMs: number, run: string) => `expiry/${moment(atMs)}/${run}`,
  /** How many runs go on and work, for those who want to begin. */
  load: 'load',
  /** How many runs of a scenario go on side by side. */
  active: (scenario: string) => `active/${scenario}`,
  /** Runs that wait for their turn: those that have begun in one line, those that have not in another. */
  line: (scenario: string, begun: boolean) => `queue/${scenario}/${begun ? 'begun' : 'new'}/`,
  queued: (scenario: string, begun: boolean, orderMs: number, place: number, run: string) =>
    `${keys.line(scenario, begun)}${moment(orderMs)}/${String(place).padStart(12, '0')}/${run}`,
  /** A named lock, or a pool. */
  holding: (name: string) => `holding/${name}`,
  breaker: (key: string) => `breaker/${key}`,
  /** What a scenario listens to. */
  ear: (scenario: string, ear: string) => `ear/${scenario}/${ear}`,
  /** A step that waits for an event. */
  listener: (scenario: string, ear: string, values: string, run: string, wait: number) =>
    `listener/${scenario}/${ear}/${values}/${run}/${wait}`,
  question: (id: string) => `question/${id}`,
  /** What was used on a day. */
  spent: (day: string, by: string, name: string) => `spent/${day}/${by}/${name}`,
} as const;

function moment(atMs: number): string {
  return String(Math.max(Math.round(atMs), 0)).padStart(15, '0');
}

/** The moment in a key of {@link keys.expiry}, and its run. */
export function expiryOf(key: string): { readonly atMs: number; readonly run: string } {
  const [, atMs, run] = key.split('/');
  return { atMs: Number(atMs), run: run! };
}
