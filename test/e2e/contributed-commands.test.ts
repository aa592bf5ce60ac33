// Contract, "A script plugin": `commands:` contributes to the command line.
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { neira, type Ran } from '../../host/cli/test-kit.ts';
import { bootHost, eventFiles, SCRIPT_GATES, type TestHost } from '../kit/boot-host.ts';
import { installScenarios, scenariosOf } from '../kit/scenario-host.ts';

let host: TestHost;
beforeAll(async () => {
  host = await bootHost({ gates: SCRIPT_GATES });
  await installScenarios(host);
}, 60_000);
afterAll(() => host.close());

const cli = (args: readonly string[], env: Record<string, string> = {}): Promise<Ran> =>
  neira(args, { NEIRA_URL: host.url, NEIRA_TOKEN: host.token, ...env });

function folder(files: Readonly<Record<string, string>>): string {
  const made = mkdtempSync(path.join(tmpdir(), 'neira-files-'));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(made, name)), { recursive: true });
    writeFileSync(path.join(made, name), text);
  }
  return made;
}

describe('a plugin of somebody else', () => {
  const shelf = {
    id: 'shelf',
    permissions: {},
    subscribes: ['shelf.put@1', 'shelf.list@1'].map((event) => ({ event })),
    routes: [
      { method: 'POST', path: '/api/shelf/:place', command: 'shelf.put@1' },
      { method: 'GET', path: '/api/shelf', command: 'shelf.list@1' },
    ],
    commands: [
      {
        name: 'shelf put',
        title: { en: 'Put something there', ru: 'Положить' },
        route: 'POST /api/shelf/:place',
        arguments: ['place'],
        files: { property: 'files', writes: 'gives' },
        fails_if: 'broken',
      },
      {
        name: 'shelf list',
        route: 'GET /api/shelf',
        table: { of: 'things', columns: ['place', 'how_many'] },
      },
    ],
  };
  const property = (type: string | string[], more = {}) => ({ type, ...more });
  const takes = (properties: object, required: string[] = []) => ({
    type: 'object',
    additionalProperties: false,
    properties,
    required,
  });
  const files = {
    ...eventFiles(
      'shelf.put@1!',
      takes(
        {
          place: property('string'),
          files: property('object', { additionalProperties: { type: 'string' } }),
          count: property('integer', { minimum: 1 }),
          heavy: property('boolean'),
          kind: { enum: ['box', 'bag'] },
          labels: property('array', { items: { type: 'string' } }),
          sizes: property('array', { items: { type: 'integer' } }),
          no_wait: property('boolean'),
          help: property('string'),
          meta: property('object', { additionalProperties: true }),
        },
        ['place', 'files'],
      ),
    ),
    ...eventFiles('shelf.list@1!', takes({ of: property('string'), after: property('string') })),
    'main.ts': `
export function handle({ event_name, payload }) {
  if (event_name === 'shelf.list') return { result: { things: [{ place: 'top', how_many: 3, secret: 'no' }], next: 'top' } };
  return { result: { ok: true, got: payload, gives: { 'given/label.txt': 'a label' }, broken: payload.heavy === true } };
}`,
  };

  test('its options are what its call takes, by type; a wrong one says what is right; it takes files and gives some', async () => {
    const added = await host.script(shelf, files);
    expect(added.status, JSON.stringify(added.body)).toBe(201);
    const listed = await cli(['commands']);
    expect(listed.stdout).toContain('shelf put\tPut something there\tshelf');
    const given = folder({ 'a.txt': 'A', 'sub/b.txt': 'B', '.hidden': 'x' });
    const lists = ['--labels', 'x', '--labels', '1', '--sizes', '1', '--sizes', '2'];
    const options = ['--count', '2', '--kind', 'bag', ...lists, '--meta', '{"n":1}', '--with-no-wait'];
    const put = await cli(['shelf', 'put', 'top left', given, ...options, '--json']);
    expect(put, put.stderr).toMatchObject({ code: 0 });
    expect(JSON.parse(put.stdout)).toMatchObject({
      got: {
        place: 'top left',
        files: { 'a.txt': 'A', 'sub/b.txt': 'B' },
        count: 2,
        kind: 'bag',
        labels: ['x', '1'],
        sizes: [1, 2],
        no_wait: true,
        meta: { n: 1 },
      },
    });
    expect(readFileSync(path.join(given, 'given/label.txt'), 'utf8')).toBe('a label');
    expect(await cli(['shelf', 'put', 'x', given, '--heavy'])).toMatchObject({ code: 1 });
    expect(await cli(['shelf', 'put', 'x', given, '--count', 'two'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('It has to be a number'),
    });
    expect(await cli(['shelf', 'put', 'x', given, '--kind', 'tub'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('Allowed choices are box, bag'),
    });
    expect(await cli(['shelf', 'put', 'x', given, '--count', '0'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('count'),
    });
    expect(await cli(['shelf', 'put'])).toMatchObject({ code: 2 });
    for (const help of [
      ['shelf', 'put', '--help'],
      ['help', 'shelf'],
    ])
      expect(await cli(help)).toMatchObject({ code: 0, stdout: expect.stringContaining('neira shelf') });
    const list = await cli(['shelf', 'list']);
    expect(list.stdout).toBe('place\thow many\ntop\t3\n');
    expect(list.stderr).toContain('--after top');
  }, 30_000);

  test.for([
    ['../../label.txt', 'outside of the folder'],
    ['.git/config', 'a hidden file'],
    ['node_modules/x/index.js', 'below node_modules'],
    ['link/label.txt', 'through a link'],
  ] as const)('a reply that would write %s is refused, and nothing of it is written', async ([name, why]) => {
    const evil = files['main.ts'].replace("'given/label.txt'", `'good.txt': 'good', '${name}'`);
    const added = await host.script(shelf, { ...files, 'main.ts': evil });
    expect(added.status, JSON.stringify(added.body)).toBe(200);
    const given = folder({ 'a.txt': 'A', '.git/config': 'mine' });
    const elsewhere = folder({});
    symlinkSync(elsewhere, path.join(given, 'link'));
    const put = await cli(['shelf', 'put', 'x', given]);
    expect(put).toMatchObject({ code: 1, stderr: expect.stringContaining(why) });
    expect(readdirSync(given).sort()).toEqual(['.git', 'a.txt', 'link']);
    expect(readFileSync(path.join(given, '.git/config'), 'utf8')).toBe('mine');
    expect(readdirSync(elsewhere)).toEqual([]);
  });

  test('a first word belongs to one plugin; what is not granted is refused with what to grant', async () => {
    const other = { ...shelf, id: 'other', subscribes: shelf.subscribes, routes: [], commands: [] };
    const route = { method: 'GET', path: '/api/other', command: 'shelf.list@1' };
    const clash = { ...other, routes: [route], commands: [{ name: 'shelf other', route: 'GET /api/other' }] };
    expect((await host.script(clash, { 'main.ts': 'export function handle() {}' })).body).toMatchObject({
      code: 'NEIRA_CONFLICT',
      detail: expect.stringContaining('shelf'),
    });
    const permissions = { permissions: { ...shelf.permissions } };
    await host.call('PUT', '/api/neira/plugins/shelf/grants', permissions);
    expect((await cli(['commands'])).stdout).toContain('`http.route:GET /api/shelf` is not granted');
    expect(await cli(['shelf', 'list'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('neira plugin grant shelf'),
    });
    await host.call('POST', '/api/neira/plugins/shelf/disable');
    expect(await cli(['shelf', 'list'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('neira plugin show shelf'),
    });
  });

  test('what its manifest says of them is checked', async () => {
    const wrong = {
      ...shelf,
      id: 'wrong',
      routes: [{ method: 'POST', path: '/api/wrong/:id', command: 'shelf.put@1' }],
      commands: [
        { name: 'Wrong', route: 'POST /api/wrong/:id', arguments: ['id'] },
        { name: 'plugin list', route: 'POST /api/wrong/:id', arguments: ['id'] },
        { name: 'wrong one', route: 'GET /api/shelf' },
        { name: 'wrong two', route: 'POST /api/wrong/:id' },
        { name: 'wrong two', route: 'POST /api/wrong/:id', arguments: ['id'] },
      ],
    };
    const { body } = await host.script(wrong, { 'main.ts': 'export function handle() {}' });
    expect(body.errors.map(({ path: at, message }: Record<string, string>) => `${at} ${message}`)).toEqual([
      'commands[0].name must be two or three words of lower-case letters: scenario run',
      'commands[1].name begins with `plugin`, which is a command of neira itself',
      "commands[2].route is none of the plugin's routes: POST /api/wrong/:id",
      'commands[3].arguments lack `id`, which the path of the call has',
      'commands[4].name is there twice',
    ]);
  });
});

test('a word that nobody has says so; where no host answers it says that as well', async () => {
  expect(await cli(['shlf', 'list'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("unknown command 'shlf'"),
  });
  for (const words of [
    ['scenario', 'list'],
    ['help', 'scenario'],
  ]) {
    const gone = await cli(words, { NEIRA_URL: 'http://127.0.0.1:9' });
    expect(gone).toMatchObject({ code: 2, stderr: expect.stringContaining('none answers') });
  }
});

describe('scenarios from the command line', () => {
  const SCENARIO = `
id: greet
steps:
  - {name: say, call: tool.do, with: {n: 2}, save: got}
  - {name: sure, wait: {answer: {question: 'Go on?', choices: ["yes", "no"]}}, save: said}
  - {if: 'bag.said == "no"', then: [{abort: {code: NOT_WANTED, message: they said no}}]}
  - {name: end, return: '\${bag.got.doubled}'}
`;
  const TESTS = `
scenario: scenario.yaml
tests:
  - name: says what it got
    stubs: [{call: tool.do, returns: {doubled: 4}}]
    answers: [{value: "yes"}]
    expect: {returns: 4}
    golden: golden/greet.json
  - name: fails on purpose
    stubs: [{call: tool.do, returns: {doubled: 5}}]
    answers: [{value: "yes"}]
    expect: {returns: 4}
`;

  test('saved from a folder, tested, run and followed to its end, answered, traced (SCN-01, SCN-20, SCN-22)', async () => {
    const made = folder({ 'scenario.yaml': SCENARIO, 'greet.test.yaml': TESTS });
    const tested = await cli(['scenario', 'test', made, '--update']);
    expect(tested).toMatchObject({ code: 1, stderr: expect.stringContaining('wrote golden/greet.json') });
    expect(tested.stdout).toContain('✓ greet.test.yaml: says what it got');
    expect(tested.stdout).toContain('✗ greet.test.yaml: fails on purpose');
    writeFileSync(path.join(made, 'greet.test.yaml'), TESTS.split('  - name: fails')[0]!);
    expect(await cli(['scenario', 'test', made])).toMatchObject({ code: 0 });

    await scenariosOf(host).save(SCENARIO);
    expect((await cli(['scenario', 'save', made])).stdout).toContain('state: active');
    const running = cli(['scenario', 'run', 'greet', '--follow']);
    const questions = async () =>
      JSON.parse((await cli(['scenario', 'questions', '--json'])).stdout).questions;
    await expect.poll(questions, { timeout: 20_000 }).toHaveLength(1);
    const [{ question_id: id, run_id: run }] = await questions();
    expect(await cli(['scenario', 'answer', id, 'perhaps'])).toMatchObject({ code: 1 });
    expect(await cli(['scenario', 'answer', id, 'no'])).toMatchObject({ code: 0 });
    const ran = await running;
    expect(ran.code, ran.stderr).toBe(1);
    const lines = ran.stdout.trimEnd().split('\n');
    expect(lines[0]).toBe(`run_id: ${run}`);
    expect(ran.stdout).toMatch(/ say ok \d+/);
    expect(ran.stdout).toContain(`neira scenario answer ${id}`);
    expect(lines.at(-1)).toMatch(/^failed after \d+ ms NOT_WANTED they said no$/);
    const { stdout: tree } = await cli(['scenario', 'trace', run]);
    expect(tree).toMatch(/^greet \w+ failed \d+ ms\n {2}say ok/);
    expect(tree).toMatch(/\n {2}if_3 failed[^\n]*\n {4}abort_1 failed/);
    expect(await cli(['scenario', 'watch', run])).toMatchObject({ code: 1 });
    expect((await cli(['scenario', 'runs', '--state', 'failed'])).stdout).toContain(run);
  }, 90_000);

  test('a run that is followed ends well with 0, and as lines of JSON for programs', async () => {
    await scenariosOf(host).save('id: short\nsteps: [{name: one, set: {a: 1}}, {wait: 100ms}]\n');
    const ran = await cli(['scenario', 'run', 'short', '--follow', '--json']);
    expect(ran.code, ran.stderr).toBe(0);
    const lines = ran.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines[0]).toMatchObject({ run_id: expect.any(String) });
    expect(lines.at(-1)).toMatchObject({
      event_name: 'scenario.completed',
      payload: { outcome: 'succeeded' },
    });
  }, 30_000);

  test('a definition that is wrong is told with line, column and what to do', async () => {
    const file = path.join(folder({ 'x.yaml': 'id: x\nsteps:\n  - {cal: tool.do}\n' }), 'x.yaml');
    const refused = await cli(['scenario', 'save', file]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('x.yaml:3:11 `cal` is no kind of step');
    expect(refused.stderr).toContain('did you mean `call`?');
  });
});
