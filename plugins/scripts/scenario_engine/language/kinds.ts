/** What each kind of step says, as the interpreter reads it. */
import type { Doing, Template, WaitFor } from '../program.ts';
import type { Compiler, Spot } from './compiler.ts';
import { parseDuration } from './durations.ts';
import type { Written } from './failing.ts';
import type { StepKind } from './shape.ts';

type Make = (compiler: Compiler, step: Written, spot: Spot, inside: Spot) => Doing & Record<string, unknown>;

const EACH_MAX = 1000;
const WHILE_MAX = 1000;

export const DOINGS: Readonly<Record<StepKind, Make>> = {
  call(compiler, step, spot) {
    const { name, version } = compiler.sendsOf(String(step['call']), step, compiler.under(spot, 'call'));
    const dry = step['dry_run'] as { returns: unknown } | undefined;
    return {
      kind: 'call',
      command: name,
      version,
      with: withOf(compiler, step, spot),
      effect: (step['effect'] as 'once') ?? 'once',
      ...(dry && {
        dryRun: compiler.template(dry.returns, compiler.under(spot, 'dry_run', 'returns'), spot.names),
      }),
    };
  },

  publish(compiler, step, spot) {
    const { name, version } = compiler.sendsOf(
      String(step['publish']),
      step,
      compiler.under(spot, 'publish'),
    );
    const { after } = step as { after?: string | number };
    return {
      kind: 'publish',
      event: name,
      version,
      with: withOf(compiler, step, spot),
      ...(after !== undefined && { afterMs: timeOf(compiler, after, compiler.under(spot, 'after')) }),
    };
  },

  /** `{set: {total: …}}`, and as a capsule says it: `{set: {var, value}}` (CAP-04). */
  set(compiler, step, spot) {
    const given = step['set'] as Record<string, unknown>;
    const { var: name, value, ...others } = given;
    const values =
      typeof name === 'string' && 'value' in given && Object.keys(others).length === 0
        ? { [name]: value }
        : given;
    return {
      kind: 'set',
      values: compiler.template(values, compiler.under(spot, 'set'), spot.names) as Record<string, Template>,
    };
  },

  if(compiler, step, spot, inside) {
    const more = (step['elif'] as readonly Written[] | undefined) ?? [];
    const branches = [
      {
        when: compiler.expression(step['if'], compiler.under(spot, 'if'), spot.names),
        steps: blockOf(compiler, step['then'], inside, ['then'], 'then'),
      },
      ...more.map((each, at) => ({
        when: compiler.expression(each['if'], compiler.under(spot, 'elif', at, 'if'), spot.names),
        steps: blockOf(compiler, each['then'], inside, ['elif', at, 'then'], `elif_${at + 1}`),
      })),
    ];
    return { kind: 'if', branches, otherwise: blockOf(compiler, step['else'], inside, ['else'], 'else') };
  },

  switch(compiler, step, spot, inside) {
    const cases = (step['cases'] as readonly { equals: unknown; steps: unknown }[]).map(
      ({ equals, steps }, at) => ({
        equals: [equals]
          .flat()
          .map((each) => compiler.template(each, compiler.under(spot, 'cases', at, 'equals'), spot.names)),
        steps: blockOf(compiler, steps, inside, ['cases', at, 'steps'], `case_${at + 1}`),
      }),
    );
    return {
      kind: 'switch',
      on: compiler.expression(step['switch'], compiler.under(spot, 'switch'), spot.names),
      cases,
      otherwise: blockOf(compiler, step['default'], inside, ['default'], 'default'),
    };
  },

  loop(compiler, step, spot, inside) {
    const given = step['loop'] as Written;
    const {
      as = 'item',
      max,
      at_a_time: atATime = 1,
      steps,
    } = given as { as?: string; max?: number; at_a_time?: number; steps: unknown };
    if ('while' in given)
      return {
        kind: 'while',
        while: compiler.expression(given['while'], compiler.under(spot, 'loop', 'while'), spot.names),
        max: max ?? WHILE_MAX,
        steps: blockOf(compiler, steps, inside, ['loop', 'steps']),
      };
    const items = given['for'];
    const within = { ...inside, names: [...inside.names, as] };
    const place = compiler.under(spot, 'loop', 'for');
    return {
      kind: 'each',
      items: Array.isArray(items) ? JSON.stringify(items) : compiler.expression(items, place, spot.names),
      as,
      max: max ?? EACH_MAX,
      atATime,
      steps: blockOf(compiler, steps, within, ['loop', 'steps']),
    };
  },

  parallel(compiler, step, _spot, inside) {
    const {
      branches,
      wait = 'all',
      on_failure: onFailure = 'cancel',
    } = step['parallel'] as {
      branches: Record<string, unknown>;
      wait?: 'all' | 'any' | number;
      on_failure?: 'cancel' | 'settle';
    };
    const made = Object.entries(branches).map(([name, steps]) => ({
      name,
      steps: blockOf(compiler, steps, inside, ['parallel', 'branches', name], name),
    }));
    if (typeof wait === 'number' && wait > made.length)
      compiler.files.add(compiler.under(inside, 'parallel', 'wait'), `there are ${made.length} branches`);
    return { kind: 'parallel', branches: made, wait: wait === 'any' ? 1 : wait, onFailure };
  },

  group: (compiler, step, _spot, inside) => ({
    kind: 'group',
    steps: blockOf(compiler, step['steps'], inside, ['steps']),
  }),

  wait(compiler, step, spot) {
    const given = step['wait'];
    const what = given !== null && typeof given === 'object' ? (given as Written) : { time: given };
    const { timeout } = what as { timeout?: string | number };
    return {
      kind: 'wait',
      for: waitOf(compiler, what, compiler.under(spot, 'wait')),
      ...(timeout !== undefined && { patienceMs: parseDuration(timeout) }),
    };
  },

  scenario(compiler, step, spot) {
    compiler.sendsOf('scenario.run@1', {}, compiler.under(spot, 'scenario'));
    return {
      kind: 'run',
      scenario: String(step['scenario']),
      with: withOf(compiler, step, spot),
      detached: step['detached'] === true,
    };
  },

  observe(compiler, step, spot) {
    const { event, props = {} } = step['observe'] as { event: string; props?: unknown };
    return {
      kind: 'observe',
      event,
      props: compiler.template(props, compiler.under(spot, 'observe', 'props'), spot.names),
    };
  },

  log(compiler, step, spot) {
    const given = step['log'];
    const { level = 'info', message } =
      typeof given === 'string' ? { message: given } : (given as { level?: 'info'; message: unknown });
    return {
      kind: 'log',
      level,
      message: compiler.template(message, compiler.under(spot, 'log'), spot.names),
    };
  },

  abort(compiler, step, spot) {
    const given = step['abort'];
    const { code, message } =
      typeof given === 'string'
        ? { code: 'SCENARIO_ABORTED', message: given }
        : (given as { code: string; message: unknown });
    return {
      kind: 'abort',
      code,
      message: compiler.template(message, compiler.under(spot, 'abort'), spot.names),
    };
  },

  return: (compiler, step, spot) => ({
    kind: 'return',
    value: compiler.template(step['return'], compiler.under(spot, 'return'), spot.names),
  }),

  /** The steps of the fragment, with its parameters as variables of their own. */
  include(compiler, step, spot, inside) {
    const found = compiler.fragment(String(step['include']), spot);
    const given = (step['with'] as Record<string, unknown> | undefined) ?? {};
    if (!found) return { kind: 'group', steps: [] };
    const { params, steps, spot: there } = found;
    for (const name of Object.keys(given))
      if (!params.includes(name))
        compiler.files.add(
          compiler.under(spot, 'with', name),
          `the fragment has no parameter \`${name}\``,
          `it has ${params.join(', ') || 'none'}`,
        );
    for (const name of params)
      if (!(name in given))
        compiler.files.add(
          compiler.under(spot, 'include'),
          `the fragment needs \`${name}\``,
          'give it under `with`',
        );
    const vars = compiler.template(given, compiler.under(spot, 'with'), spot.names) as Record<
      string,
      Template
    >;
    const within = { ...there, above: inside.above, depth: inside.depth, isLocked: inside.isLocked };
    return { kind: 'group', vars, steps: compiler.block(steps, within) };
  },
};

function withOf(compiler: Compiler, step: Written, spot: Spot): Template {
  return compiler.template(step['with'] ?? {}, compiler.under(spot, 'with'), spot.names);
}

function blockOf(
  compiler: Compiler,
  steps: unknown,
  inside: Spot,
  path: readonly (string | number)[],
  branch?: string,
) {
  if (steps === undefined) return [];
  const above = branch === undefined ? inside.above : `${inside.above}/${branch}`;
  return compiler.block(steps, { ...compiler.under(inside, ...path), above });
}

/** A duration, or an expression that comes to milliseconds. */
function timeOf(compiler: Compiler, given: string | number, place: Spot): Template {
  if (typeof given === 'number' || !given.includes('${')) {
    try {
      return parseDuration(given);
    } catch (error) {
      compiler.files.add(place, (error as Error).message);
      return 0;
    }
  }
  return compiler.template(given, place, place.names);
}

function waitOf(compiler: Compiler, what: Written, place: Spot): WaitFor {
  const kinds = ['time', 'until', 'event', 'signal', 'answer'].filter((kind) => what[kind] !== undefined);
  if (kinds.length !== 1)
    compiler.files.add(place, 'a wait is for one of `time`, `until`, `event`, `signal`, `answer`');
  const filled = (name: string) => compiler.template(what[name], compiler.under(place, name), place.names);
  if (what['signal'] !== undefined) return { kind: 'signal', signal: filled('signal') };
  if (what['until'] !== undefined) return { kind: 'time', until: filled('until') };
  if (what['event'] !== undefined) return eventWait(compiler, what, place);
  if (what['answer'] !== undefined) {
    const answer = what['answer'] as Written;
    const under = compiler.under(place, 'answer');
    const part = (name: string) => compiler.template(answer[name], compiler.under(under, name), place.names);
    return {
      kind: 'answer',
      question: part('question'),
      ...(answer['choices'] !== undefined && { choices: part('choices') }),
      ...(answer['to'] !== undefined && { to: part('to') }),
    };
  }
  return { kind: 'time', ms: timeOf(compiler, (what['time'] as string) ?? 0, compiler.under(place, 'time')) };
}

function eventWait(compiler: Compiler, what: Written, place: Spot): WaitFor {
  const [event, version] = String(what['event']).split('@');
  compiler.hears.add(event!);
  const { filter, accept } = what as { filter?: string; accept?: unknown };
  if (filter !== undefined)
    compiler.expression(filter.replace(/^\$\./, 'event.'), compiler.under(place, 'filter'), []);
  const correlate = Object.entries((what['correlate'] as Record<string, unknown> | undefined) ?? {}).map(
    ([path, each]) => ({
      path,
      equals: compiler.template(each, compiler.under(place, 'correlate', path), place.names),
    }),
  );
  return {
    kind: 'event',
    event: event!,
    ...(version !== undefined && { version: Number(version) }),
    ...(filter !== undefined && { filter }),
    correlate,
    ...(accept !== undefined && {
      accept: compiler.expression(accept, compiler.under(place, 'accept'), place.names),
    }),
  };
}
