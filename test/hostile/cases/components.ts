/** Components that try to break out of their cell, to stay in it for ever, or to lie to the host. */
import type { ModuleText } from '../../kit/component.ts';
import type { HostileBoot, HostileCase } from '../harness.ts';

const CALM = '{"actions":[{"calm":true}]}';
const KEPT = '{"actions":[{"kept":true}]}';
const WORD = 'attack';

/** `body` where the envelope has the word in it, else a calm answer. */
function attacking(body: string, { more = '', ...rest }: Omit<ModuleText, 'handle'> = {}): ModuleText {
  return {
    ...rest,
    more: `
  (data (i32.const 64) ${text(CALM)})
  (data (i32.const 128) ${text(WORD)})
  (data (i32.const 192) ${text(KEPT)})
  (func $attacked (param $p i32) (param $n i32) (result i32) (local $at i32) (local $k i32)
    (loop $next
      (if (i32.ge_u (i32.add (local.get $at) (i32.const ${WORD.length})) (local.get $n)) (then (return (i32.const 0))))
      (local.set $k (i32.const 0))
      (block $differs (loop $same
        (br_if $differs (i32.ne
          (i32.load8_u (i32.add (local.get $p) (i32.add (local.get $at) (local.get $k))))
          (i32.load8_u offset=128 (local.get $k))))
        (local.set $k (i32.add (local.get $k) (i32.const 1)))
        (br_if $same (i32.lt_u (local.get $k) (i32.const ${WORD.length})))
        (return (i32.const 1))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br $next))
    (unreachable))
  (func $calm (result i32) (call $ok (i32.const 64) (i32.const ${CALM.length})))
  (func $kept (result i32) (call $ok (i32.const 192) (i32.const ${KEPT.length})))
  ${more}`,
    handle: `(if (result i32) (call $attacked (local.get $p) (local.get $n)) (then ${body}) (else (call $calm)))`,
  };
}

const text = (value: string) => `"${value.replaceAll('"', '\\"')}"`;

const GET = '(import "neira:host/storage@1.0.0" "get" (func $get (param i32 i32 i32)))';
const SET = '(import "neira:host/storage@1.0.0" "set" (func $set (param i32 i32 i32 i32 i32 i64 i32)))';
const LOG = '(import "neira:host/io@1.0.0" "log" (func $log (param i32 i32 i32)))';
const SLEEP = '(import "neira:host/timer@1.0.0" "sleep" (func $sleep (param i32 i32)))';
/** Sets the key `attack` to what lies at an address. */
const setTo = (at: string, length: string) =>
  `(call $set (i32.const 128) (i32.const 6) ${at} ${length} (i32.const 0) (i64.const 0) (i32.const 1024))`;

const FAULT = 'NEIRA_PLUGIN_FAILED';

export const LOOPING: readonly HostileCase[] = [
  {
    name: 'a loop without an end uses up its fuel',
    component: attacking('(loop $l (br $l)) (unreachable)'),
    expect: 'NEIRA_CPU_EXCEEDED',
  },
  {
    name: 'a loop of tail calls does too',
    component: attacking('(call $again) (unreachable)', { more: '(func $again (return_call $again))' }),
    expect: 'NEIRA_CPU_EXCEEDED',
  },
  {
    name: 'a recursion that doubles does too, without a loop',
    component: attacking('(drop (call $twice (i32.const 60))) (unreachable)', {
      more: `(func $twice (param $n i32) (result i32)
        (if (result i32) (local.get $n)
          (then (i32.add (call $twice (i32.sub (local.get $n) (i32.const 1))) (call $twice (i32.sub (local.get $n) (i32.const 1)))))
          (else (i32.const 1))))`,
    }),
    expect: 'NEIRA_CPU_EXCEEDED',
  },
  {
    name: 'copies of much memory, again and again, do too',
    component: attacking(
      '(loop $l (memory.fill (i32.const 8192) (i32.const 1) (i32.const 100000)) (br $l)) (unreachable)',
    ),
    expect: 'NEIRA_CPU_EXCEEDED',
  },
  {
    name: 'an allocator that never answers the host does too',
    component: {
      ...attacking(
        '(call $get (i32.const 128) (i32.const 6) (i32.const 1024)) (loop $l (br $l)) (unreachable)',
        {
          imports: GET,
        },
      ),
    },
    expect: 'NEIRA_CPU_EXCEEDED',
  },
  {
    name: 'a recursion without an end runs into the end of the stack',
    component: attacking('(drop (call $deeper (i32.const 0))) (unreachable)', {
      more: '(func $deeper (param $n i32) (result i32) (i32.add (call $deeper (i32.add (local.get $n) (i32.const 1))) (i32.const 1)))',
    }),
    expect: ['NEIRA_STACK_EXCEEDED', 'NEIRA_CPU_EXCEEDED'],
  },
  {
    name: 'a recursion that asks the host on its way does too, wherever in the host that is',
    component: attacking('(drop (call $deeper (i32.const 0))) (unreachable)', {
      imports: GET,
      more: `(func $deeper (param $n i32) (result i32)
        (if (i32.eqz (i32.rem_u (local.get $n) (i32.const 128)))
          (then (call $get (i32.const 128) (i32.const 6) (i32.const 1024))))
        (i32.add (call $deeper (i32.add (local.get $n) (i32.const 1))) (i32.const 1)))`,
    }),
    limits: { cpu_ms: 2000, host_calls: 10_000 },
    expect: ['NEIRA_STACK_EXCEEDED'],
  },
];

/** What could wait runs on a stack of its own. */
export const LOOPING_AND_WAITING: readonly HostileCase[] = LOOPING.map(({ name, component, ...rest }) => ({
  ...rest,
  name: `${name}, on a stack of its own`,
  component: { ...component, imports: `${SLEEP} ${component?.imports ?? ''}` },
}));

export const BOMBS: readonly HostileCase[] = [
  {
    name: 'a memory that grows without an end stops at its limit',
    component: attacking(
      `(loop $l (br_if $l (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) (unreachable)`,
    ),
    expect: ['NEIRA_MEMORY_EXCEEDED', 'NEIRA_CPU_EXCEEDED'],
  },
  {
    name: 'a table that grows without an end stops at its limit',
    component: attacking(
      `(loop $l (br_if $l (i32.ne (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1)))) (call $kept)`,
      { more: '(table $t 1 funcref)' },
    ),
    expect: ['ok', 'NEIRA_CPU_EXCEEDED'],
  },
  {
    name: 'an answer of many megabytes is too large',
    component: attacking(
      `(drop (memory.grow (i32.const 200))) (memory.fill (i32.const 65536) (i32.const 120) (i32.const 8000000))
       (call $ok (i32.const 65536) (i32.const 8000000))`,
    ),
    limits: { cpu_ms: 500 },
    expect: 'NEIRA_OUTPUT_TOO_LARGE',
  },
  {
    name: 'a value of many megabytes is refused',
    component: attacking(
      `(drop (memory.grow (i32.const 200))) (memory.fill (i32.const 65536) (i32.const 49) (i32.const 8000000))
       ${setTo('(i32.const 65536)', '(i32.const 8000000)')}
       (if (result i32) (i32.load8_u (i32.const 1024)) (then (call $kept)) (else (unreachable)))`,
      { imports: SET },
    ),
    limits: { cpu_ms: 500 },
    expect: 'ok',
    actions: [{ kept: true }],
  },
];

export const LIES: readonly HostileCase[] = [
  { name: 'a trap ends the turn', component: attacking('(unreachable)'), expect: FAULT },
  {
    name: 'a load beyond the memory does',
    component: attacking('(drop (i32.load (i32.const -4))) (unreachable)'),
    expect: FAULT,
  },
  {
    name: 'a key beyond the memory does',
    component: attacking('(call $get (i32.const -16) (i32.const 64) (i32.const 1024)) (call $kept)', {
      imports: GET,
    }),
    expect: FAULT,
  },
  {
    name: 'a key of two gigabytes does',
    component: attacking('(call $get (i32.const 0) (i32.const 0x7fffffff) (i32.const 1024)) (call $kept)', {
      imports: GET,
    }),
    expect: FAULT,
  },
  {
    name: 'a place for the answer beyond the memory does',
    component: attacking('(call $get (i32.const 128) (i32.const 6) (i32.const -8)) (call $kept)', {
      imports: GET,
    }),
    expect: FAULT,
  },
  {
    name: 'an answer beyond the memory does',
    component: attacking('(call $ok (i32.const -16) (i32.const 64))'),
    expect: FAULT,
  },
  {
    name: 'a result beyond the memory does',
    component: attacking('(i32.const -4)'),
    expect: FAULT,
  },
  {
    name: 'a result that is neither a value nor an error does',
    component: attacking('(drop (call $calm)) (i32.store8 (i32.const 16) (i32.const 7)) (i32.const 16)'),
    expect: FAULT,
  },
  {
    name: 'a level of the log that there is not does',
    component: attacking('(call $log (i32.const 77) (i32.const 64) (i32.const 4)) (call $kept)', {
      imports: LOG,
    }),
    expect: FAULT,
  },
  {
    name: 'an answer that is no JSON is no reply',
    component: attacking('(call $ok (i32.const 128) (i32.const 6))'),
    expect: 'NEIRA_REPLY_INVALID',
  },
  {
    name: 'an answer of bytes that are no UTF-8 is none either',
    component: attacking(
      '(i32.store (i32.const 256) (i32.const 0xfffefdfc)) (call $ok (i32.const 256) (i32.const 4))',
    ),
    expect: 'NEIRA_REPLY_INVALID',
  },
  {
    name: 'an error that claims to be a refusal of the host is its own failure',
    component: attacking('(call $err (i32.const 320) (i32.const 23))', {
      more: '(data (i32.const 320) "NEIRA_PERMISSION_DENIED")',
    }),
    expect: FAULT,
  },
  {
    name: 'a storm of host calls ends at its limit',
    component: attacking(
      '(loop $l (call $get (i32.const 128) (i32.const 6) (i32.const 1024)) (br $l)) (unreachable)',
      { imports: GET },
    ),
    limits: { cpu_ms: 2000 },
    expect: 'NEIRA_HOST_CALLS_EXCEEDED',
  },
  {
    name: 'a storm of log lines stays within its bytes',
    component: attacking(
      `(local.set $n (i32.const 20000))
       (loop $l (call $log (i32.const 1) (i32.const 64) (i32.const 20))
         (local.set $n (i32.sub (local.get $n) (i32.const 1))) (br_if $l (local.get $n)))
       (call $kept)`,
      { imports: LOG },
    ),
    limits: { cpu_ms: 2000 },
    expect: 'ok',
    async check({ logs }) {
      const bytes = (await logs()).reduce((sum, { message }) => sum + message.length, 0);
      if (bytes > 64 * 1024) throw new Error(`${bytes} bytes were logged`);
    },
  },
];

/** What a turn leaves for the next one: asked for twice, the first answer comes again. */
const REMEMBERED: readonly (readonly [place: string, remember: string, recall: string, more: string])[] = [
  ['its memory', '(i32.store (i32.const 2048) (i32.const 1))', '(i32.load (i32.const 2048))', ''],
  [
    'memory at the end of a page',
    '(i64.store (i32.const 8190) (i64.const -1))',
    '(i32.load (i32.const 8192))',
    '',
  ],
  ['a global', '(global.set $g (i32.const 1))', '(global.get $g)', '(global $g (mut i32) (i32.const 0))'],
  [
    'a table',
    '(table.set $t (i32.const 0) (ref.func $one))',
    '(i32.eqz (ref.is_null (table.get $t (i32.const 0))))',
    '(table $t 1 funcref) (func $one) (elem declare func $one)',
  ],
  [
    'how much memory it has',
    '(drop (memory.grow (i32.const 1)))',
    '(i32.gt_u (memory.size) (i32.const 2))',
    '',
  ],
  [
    'memory that it has grown',
    '(drop (memory.grow (i32.const 1))) (i32.store (i32.const 140000) (i32.const 1))',
    '(if (result i32) (i32.gt_u (memory.size) (i32.const 2)) (then (i32.load (i32.const 140000))) (else (i32.const 0)))',
    '',
  ],
  [
    'a segment that it dropped',
    '(data.drop $d)',
    '(block (result i32) (memory.init $d (i32.const 2048) (i32.const 0) (i32.const 1)) (i32.eqz (i32.load8_u (i32.const 2048))))',
    '(data $d "x")',
  ],
  [
    'memory that a copy wrote',
    '(memory.fill (i32.const 70000) (i32.const 1) (i32.const 9000))',
    '(i32.load8_u (i32.const 78500))',
    '',
  ],
];

export const MEMORIES: readonly HostileCase[] = REMEMBERED.map(([place, remember, recall, more]) => ({
  name: `${place} is forgotten with the turn`,
  component: attacking(`(if (result i32) ${recall} (then (call $kept)) (else ${remember} (call $calm)))`, {
    more,
  }),
  expect: 'ok',
  actions: [{ calm: true }],
  async check({ attack }) {
    for (let again = 0; again < 3; again++) {
      const { body } = await attack();
      if (JSON.stringify(body.actions) !== '[{"calm":true}]') throw new Error(JSON.stringify(body));
    }
  },
}));

export const BOOTS: readonly HostileBoot[] = [
  {
    name: 'a start function without an end',
    component: { more: '(func $s (loop $l (br $l))) (start $s)' },
    code: 'NEIRA_BOOT_FAILED',
    details: { cause: 'NEIRA_CPU_EXCEEDED' },
  },
  {
    name: 'a start function that traps',
    component: { more: '(func $s unreachable) (start $s)' },
    code: 'NEIRA_BOOT_FAILED',
  },
  {
    name: 'a start function that asks the host',
    component: {
      imports: LOG,
      more: '(func $s (call $log (i32.const 1) (i32.const 64) (i32.const 4))) (start $s)',
    },
    code: 'NEIRA_BOOT_FAILED',
  },
  {
    name: 'data beyond the memory',
    component: { more: '(data (i32.const 131070) "abcdef")' },
    code: 'NEIRA_BOOT_FAILED',
  },
  {
    name: 'a prepare without an end',
    component: {
      world: 'prepared-plugin',
      more: '(func (export "prepare") (result i32) (loop $l (br $l)) (i32.const 0))',
    },
    code: 'NEIRA_BOOT_FAILED',
    details: { cause: 'NEIRA_CPU_EXCEEDED' },
  },
];
