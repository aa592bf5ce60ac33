import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { sealEnvelope } from './envelope.ts';
import { type Published, Router, type Subscription, type Target } from './router.ts';
import { matches } from './subject.ts';

function subscription(id: string, pattern: string, changes: Partial<Subscription> = {}): Subscription {
  const [plugin, name] = id.split('/') as [string, string];
  return { id, plugin, name, pattern, version: null, listening: true, ...changes };
}

function published(subject: string, payload: unknown = {}, mode: Published['mode'] = 'event'): Published {
  const envelope = sealEnvelope({
    id: 'e1',
    eventName: subject,
    version: 1,
    atMs: 0,
    source: 'test',
    correlationId: 'c1',
    causationId: null,
    tenant: 'default',
    headers: {},
    payloadJson: JSON.stringify(payload),
  });
  return { subject, version: 1, envelope, mode };
}

let router = new Router();
beforeEach(() => {
  router = new Router();
});

const put = (...args: Parameters<typeof subscription>) => router.put(subscription(...args));
const route = (...args: Parameters<typeof published>) => router.route(published(...args));
const pluginsOf = (targets: readonly Target[]) => targets.map(({ plugin }) => plugin);

describe('events', () => {
  test('a plugin gets an event once, however many of its subscriptions match', () => {
    put('a/one', 'x.y');
    put('b/one', 'x.*', { key: '$.payload.chat' });
    put('a/two', '>', { key: '$.payload.missing' });
    put('a/three', 'x.>', { key: '$.payload.n' });
    put('a/four', 'x.>', { key: '$.payload.chat' });
    put('a/other', 'x.z');
    expect(route('x.y', { chat: 'c1', n: 7 })).toEqual([
      { plugin: 'a', key: '7', subscriptions: ['one', 'two', 'three', 'four'] },
      { plugin: 'b', key: 'c1', subscriptions: ['one'] },
    ]);
  });

  test('a version is asked for exactly, and none means any', () => {
    put('a/one', 'x.y', { version: 1 });
    put('b/two', 'x.y', { version: 2 });
    put('c/any', 'x.y');
    expect(pluginsOf(route('x.y'))).toEqual(['a', 'c']);
    expect(pluginsOf(router.route({ ...published('x.y'), version: 2 }))).toEqual(['b', 'c']);
  });

  test('a filter decides what its subscription gets', () => {
    // BUS-51
    put('a/berlin', 'weather.*', { filter: '$.payload.city == "Berlin"' });
    put('b/warm', 'weather.*', { filter: '$.payload.celsius > 20' });
    expect(pluginsOf(route('weather.now', { city: 'Berlin', celsius: 5 }))).toEqual(['a']);
    expect(pluginsOf(route('weather.now', { city: 'Bonn', celsius: 25 }))).toEqual(['b']);
    expect(route('weather.now', {})).toEqual([]);
  });

  test('who does not listen gets events all the same: they wait', () => {
    put('a/one', 'x.y', { listening: false });
    expect(pluginsOf(route('x.y'))).toEqual(['a']);
  });

  test('an envelope is read only when a filter or a key asks', () => {
    put('a/one', 'x.y');
    put('b/one', 'x.y', { group: 'workers' });
    put('c/filtered', 'x.z', { filter: 'true', key: '$.id' });
    const unreadable = { ...published('x.y'), envelope: 'not JSON' };
    expect(pluginsOf(router.route(unreadable))).toEqual(['a', 'b']);
  });

  test('a subscription that is put again keeps its place, and one that goes leaves nothing', () => {
    put('a/one', 'x.y');
    put('b/one', 'x.y');
    put('a/one', 'x.z', { key: '$.id' });
    put('b/two', 'x.z');
    expect(route('x.y')).toEqual([{ plugin: 'b', key: undefined, subscriptions: ['one'] }]);
    expect(pluginsOf(route('x.z'))).toEqual(['a', 'b']);
    router.remove('b/two');
    router.remove('b/two');
    router.removePlugin('a');
    router.removePlugin('nobody');
    expect(route('x.z')).toEqual([]);
    expect(router.subscriptionsOf('a')).toEqual([]);
    expect(router.subscriptionsOf('b')).toEqual([subscription('b/one', 'x.y')]);
    router.setListening('b', false);
    expect(router.subscriptionsOf('b')).toEqual([subscription('b/one', 'x.y', { listening: false })]);
  });

  test.each([
    ['pattern', { pattern: 'x..y' }],
    ['filter', { filter: 'event.' }],
    ['key', { key: '$.*' }],
    ['owner', { plugin: 'b' }],
  ])('a subscription with a wrong %s is refused and changes nothing', (_what, wrong) => {
    put('a/one', 'x.y');
    expect(() => router.put({ ...subscription('a/one', 'x.z'), ...wrong })).toThrow(
      expect.objectContaining({ code: 'NEIRA_VALUE_INVALID' }),
    );
    expect(pluginsOf(route('x.y'))).toEqual(['a']);
    expect(route('x.z')).toEqual([]);
    expect(router.subscriptionsOf('b')).toEqual([]);
  });
});

describe('groups', () => {
  const members = ['a', 'b', 'c', 'd'];
  const join = (changes: Partial<Subscription> = {}) => {
    for (const plugin of members) put(`${plugin}/work`, 'job.*', { group: 'workers', ...changes });
  };
  const keys = Array.from({ length: 1000 }, (_, index) => `k${index}`);
  const owners = () => new Map(keys.map((key) => [key, route('job.new', { key })[0]!.plugin]));

  test('members get events in turn', () => {
    join();
    const turns = Array.from({ length: 8 }, () => pluginsOf(route('job.new')));
    expect(turns).toEqual([...members, ...members].map((plugin) => [plugin]));
  });

  test('who does not listen is passed over while another listens', () => {
    join();
    for (const plugin of ['a', 'c', 'd']) router.setListening(plugin, false);
    expect(pluginsOf(route('job.new'))).toEqual(['b']);
    expect(pluginsOf(route('job.new'))).toEqual(['b']);
    router.setListening('b', false);
    expect(route('job.new')).toHaveLength(1);
  });

  test('one key has one member, and keys are spread over all', () => {
    join({ key: '$.payload.key' });
    const before = owners();
    expect(owners()).toEqual(before);
    for (const member of members) {
      const share = [...before.values()].filter((each) => each === member).length / keys.length;
      expect([member, share > 0.18 && share < 0.32]).toEqual([member, true]);
    }
  });

  test('when a member leaves, only its keys move', () => {
    join({ key: '$.payload.key' });
    const before = owners();
    router.setListening('b', false);
    for (const [key, owner] of owners()) {
      if (before.get(key) === 'b') expect(owner).not.toBe('b');
      else expect(owner).toBe(before.get(key));
    }
    router.setListening('b', true);
    expect(owners()).toEqual(before);
  });

  test('a member whose filter says no is not asked', () => {
    join({ filter: '$.payload.kind == "other"' });
    put('e/work', 'job.*', { group: 'workers', filter: '$.payload.kind == "mine"' });
    for (let turn = 0; turn < 5; turn++) expect(pluginsOf(route('job.new', { kind: 'mine' }))).toEqual(['e']);
  });

  test('groups choose apart from each other and from those in none', () => {
    put('a/audit', 'job.*', { group: 'audits' });
    put('a/work', 'job.*', { group: 'workers' });
    put('b/work', 'job.*', { group: 'workers' });
    put('b/all', 'job.*');
    const first = route('job.new');
    const second = route('job.new');
    expect([first, second]).toEqual([
      [
        { plugin: 'a', key: undefined, subscriptions: ['audit', 'work'] },
        { plugin: 'b', key: undefined, subscriptions: ['all'] },
      ],
      [
        { plugin: 'a', key: undefined, subscriptions: ['audit'] },
        { plugin: 'b', key: undefined, subscriptions: ['work', 'all'] },
      ],
    ]);
  });

  test('a broadcast goes to all members', () => {
    join();
    expect(pluginsOf(route('job.new', {}, 'broadcast'))).toEqual(members);
  });
});

describe('commands', () => {
  test('the most exact subscription answers a command, alone', () => {
    put('a/all', '>');
    put('b/some', 'repo.*.install');
    put('c/more', 'repo.skill.*');
    expect(pluginsOf(route('repo.skill.install', {}, 'command'))).toEqual(['b']);
    expect(pluginsOf(route('repo.skill.install', {}, 'command'))).toEqual(['c']);
    put('d/exact', 'repo.skill.install', { key: '$.payload.skill' });
    put('d/again', 'repo.>');
    for (let turn = 0; turn < 3; turn++) {
      expect(route('repo.skill.install', { skill: 's' }, 'command')).toEqual([
        { plugin: 'd', key: 's', subscriptions: ['exact'] },
      ]);
    }
    expect(pluginsOf(route('repo.list', {}, 'command'))).toEqual(['d']);
    expect(pluginsOf(route('other', {}, 'command'))).toEqual(['a']);
  });

  test('nobody answers what nobody asked for', () => {
    put('a/one', 'repo.list');
    expect(route('repo.skill.install', {}, 'command')).toEqual([]);
  });
});

test('routing agrees with a reading of the rules one by one, while subscriptions come and go', () => {
  const FILTERS = {
    '$.payload.n > 1': (n: number) => n > 1,
    '$.payload.n in [0, 2]': (n: number) => n % 2 === 0,
  };
  const optional = <T>(...values: T[]) => fc.option(fc.constantFrom(...values), { nil: undefined });
  const name = fc.constantFrom('one', 'two', 'three');
  const plugin = fc.constantFrom('p', 'q', 'r', 's');
  const change = fc.record({
    kind: fc.constantFrom('put', 'put', 'put', 'remove', 'removePlugin', 'listen'),
    plugin,
    name,
    pattern: fc.constantFrom('>', 'a.>', 'a.*', '*.b', 'a.b', 'c', '*'),
    version: fc.constantFrom(null, null, 1, 2),
    filter: optional(...(Object.keys(FILTERS) as (keyof typeof FILTERS)[])),
    key: optional('$.payload.n', '$.payload.missing', '$.payload.who'),
    group: optional('g', 'h'),
    listening: fc.boolean(),
    subject: fc.constantFrom('a.b', 'a.c', 'c', 'a.b.c'),
    mode: fc.constantFrom<Published['mode']>('event', 'command', 'broadcast'),
    n: fc.integer({ min: 0, max: 3 }),
    who: optional('me', 'you'),
  });

  fc.assert(
    fc.property(fc.array(change, { maxLength: 30 }), (history) => {
      const tested = new Router();
      const model = new Map<string, Map<string, Subscription>>();
      const listening = new Map<string, boolean>();
      const sticky = new Map<string, string>();
      for (const step of history) {
        const { kind, filter, key, group, subject, mode, n, who } = step;
        const id = `${step.plugin}/${step.name}`;
        const own = model.get(step.plugin) ?? new Map<string, Subscription>();
        if (kind === 'put') {
          const put = subscription(id, step.pattern, {
            version: step.version,
            listening: step.listening,
            ...(filter && { filter }),
            ...(key && { key }),
            ...(group && { group }),
          });
          tested.put(put);
          model.set(step.plugin, own.set(id, put));
          listening.set(step.plugin, step.listening);
        } else if (kind === 'listen') {
          tested.setListening(step.plugin, step.listening);
          listening.set(step.plugin, step.listening);
        } else {
          if (kind === 'remove') tested.remove(id);
          else tested.removePlugin(step.plugin);
          own.delete(id);
          if (kind === 'removePlugin' || own.size === 0) model.delete(step.plugin);
        }

        const keyFound = ({ key: path }: Subscription) =>
          path === '$.payload.n' ? String(n) : path === '$.payload.who' ? who : undefined;
        const firstKey = (among: readonly Subscription[]) =>
          among.map(keyFound).find((found) => found !== undefined);
        const matched = [...model.values()]
          .flatMap((each) => [...each.values()])
          .filter((each) => matches(each.pattern, subject) && (each.version ?? 1) === 1)
          .filter((each) => !each.filter || FILTERS[each.filter as keyof typeof FILTERS](n));
        const targets = tested.route(published(subject, { n, who }, mode));

        const listed = (each: Subscription) =>
          targets.some((target) => target.plugin === each.plugin && target.subscriptions.includes(each.name));
        /** The plugin that was chosen among these, which has to be one that might be. */
        const winner = (among: readonly Subscription[]): string => {
          const plugins = [...new Set(among.map((each) => each.plugin))];
          const ready = plugins.filter((each) => listening.get(each));
          const pool = ready.length > 0 ? ready : plugins;
          const chosen = [...new Set(among.filter(listed).map((each) => each.plugin))];
          expect(chosen).toHaveLength(1);
          expect(pool).toContain(chosen[0]);
          const deciding = firstKey(among);
          if (deciding !== undefined) {
            const situation = JSON.stringify([pool, deciding]);
            expect(sticky.get(situation) ?? chosen[0]).toBe(chosen[0]);
            sticky.set(situation, chosen[0]!);
          }
          return chosen[0]!;
        };
        let delivered = matched;
        if (mode === 'command' && matched.length > 0) {
          const rank = ({ pattern }: Subscription) => {
            const wild = pattern.split('.').filter((token) => '*>'.includes(token)).length;
            return wild === 0 ? 100 : pattern.split('.').length - wild;
          };
          const best = matched.filter((each) => rank(each) === Math.max(...matched.map(rank)));
          const chosen = winner(best);
          delivered = best.filter((each) => each.plugin === chosen);
        } else if (mode === 'event') {
          const winners = new Map<string, string>();
          for (const each of ['g', 'h']) {
            const among = matched.filter((member) => member.group === each);
            if (among.length > 0) winners.set(each, winner(among));
          }
          delivered = matched.filter((each) => !each.group || winners.get(each.group) === each.plugin);
        }
        const expected = [...new Set(delivered.map((each) => each.plugin))].map((each) => {
          const mine = delivered.filter((one) => one.plugin === each);
          return { plugin: each, key: firstKey(mine), subscriptions: mine.map((one) => one.name) };
        });
        expect(targets).toEqual(expected);
      }
    }),
    { numRuns: 2000 },
  );
});
