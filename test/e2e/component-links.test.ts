/** Components that are linked to others: registered, granted, revoked, updated (issue "Linking"; HOST-11, HOST-14). */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { componentOfText, echoText } from '../../host/sandbox/component/build/test-components.ts';
import { bootHost, COMPONENT_GATES, type TestHost } from '../kit/boot-host.ts';

const FACE = 'acme:text/count@1.0.0';

/** `count` answers the bytes of a text, and `extra` more. */
function provider(extra: number): Promise<Uint8Array> {
  return componentOfText(
    echoText({
      before: `
  (core module $counter
    (memory (export "mem") 1)
    (global $top (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.set $top (i32.add (global.get $top) (local.get 3)))
      (i32.sub (global.get $top) (local.get 3)))
    (func (export "count") (param i32 i32) (result i32) (i32.add (local.get 1) (i32.const ${extra}))))
  (core instance $c (instantiate $counter))
  (func $count (param "text" string) (result u32)
    (canon lift (core func $c "count") (memory (core memory $c "mem")) (realloc (core func $c "realloc"))))
  (instance $face (export "count" (func $count))) (export "${FACE}" (instance $face))`,
    }),
  );
}

/** Answers its envelope when `count` of four bytes is four, and traps when it is not. */
function consumer(): Promise<Uint8Array> {
  return componentOfText(
    echoText({
      before: `(import "${FACE}" (instance $helper (export "count" (func (param "text" string) (result u32)))))
      (core module $libc (memory (export "mem") 1) (data (i32.const 8) "four"))
      (core instance $libc (instantiate $libc))
      (core func $count (canon lower (func $helper "count") (memory (core memory $libc "mem"))))
      (core instance $helpers (export "count" (func $count)))`,
      fields: `
      (import "helpers" "count" (func $count (param i32 i32) (result i32)))
      (func $four (if (i32.ne (call $count (i32.const 8) (i32.const 4)) (i32.const 4)) (then unreachable)))`,
      first: '(call $four)',
      withs: '(with "helpers" (instance $helpers))',
    }),
  );
}

const LINKS = [{ plugin: 'acme.counter', interface: FACE }];
const COUNTER = { id: 'acme.counter', provides: [FACE] };
const READER = {
  id: 'acme.reader',
  permissions: { links: LINKS },
  ui: { buttons: [{ id: 'reader', title: 'Reader', event: 'acme.read' }] },
};

let host: TestHost;
beforeAll(async () => {
  host = await bootHost({ gates: COMPONENT_GATES });
});
afterAll(() => host.close());

const grants = (permissions: unknown) =>
  host.call('PUT', '/api/neira/plugins/acme.reader/grants', { permissions });
const read = async () => (await host.event('reader')).body;

test('without the other plugin the component is refused, and told what to do', async () => {
  const { status, body } = await host.component(READER, await consumer());
  expect([status, body.code]).toEqual([422, 'NEIRA_LINK_MISSING']);
  expect(body.detail).toContain('no such plugin is registered');
  expect(body.remedy).toContain('provides');
});

test('a plugin that does not provide the interface is not linked to', async () => {
  const registered = await host.component({ id: 'acme.counter' }, await provider(0));
  expect(registered.status).toBe(201);
  const { body } = await host.component(READER, await consumer());
  expect([body.code, body.reason]).toEqual(['NEIRA_LINK_MISSING', 'its manifest does not provide that']);
});

test('linked, it waits for consent, runs once it is granted, and no more when that is taken back', async () => {
  expect((await host.component(COUNTER, await provider(0))).status).toBe(200);
  const taken = await host.component(READER, await consumer(), '?enable=1');
  expect([taken.status, taken.body.active]).toEqual([201, false]);
  expect(taken.body.pending_consent).toEqual([`link:acme.counter:${FACE}`]);

  expect((await grants({ links: LINKS })).body).toMatchObject({ active: true });
  expect(await read()).toMatchObject({ ran: true });

  expect((await grants({})).body).toMatchObject({ active: false });
  expect((await read()).ran).not.toBe(true);
  expect((await grants({ links: LINKS })).body).toMatchObject({ active: true });
});

test('another version of the other plugin is linked when the component is loaded anew', async () => {
  expect((await host.component(COUNTER, await provider(1))).status).toBe(200);
  expect(await read()).toMatchObject({ ran: true });
  expect((await host.call('POST', '/api/neira/plugins/acme.reader/reload')).status).toBe(200);
  expect(await read()).toMatchObject({ code: 'NEIRA_PLUGIN_FAILED' });
});
