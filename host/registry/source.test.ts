import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { crc32, deflateRawSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { publicKeyOf, signTree, verifySignature } from './signature.ts';
import {
  digestOf,
  manifestOf,
  type SourceTree,
  sourceFromFolder,
  sourceFromInline,
  sourceFromZip,
} from './source.ts';

interface ZipItem {
  name: string | Buffer;
  content?: string | Buffer;
  stored?: boolean;
  mode?: number;
  flags?: number;
  method?: number;
  /** What the headers say instead of the truth. */
  says?: { size?: number; crc?: number };
}

/** A tiny zip writer, which lies where it is told to. */
function zip(items: ZipItem[]): Buffer {
  const locals: Buffer[] = [];
  const centrals: Buffer[] = [];
  let offset = 0;
  for (const { name, content = '', stored = false, mode = 0, flags = 0x800, method, says = {} } of items) {
    const raw = Buffer.from(content as string);
    const packed = stored ? raw : deflateRawSync(raw);
    const path = Buffer.from(name as string);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(flags, 2);
    common.writeUInt16LE(method ?? (stored ? 0 : 8), 4);
    common.writeUInt32LE(says.crc ?? crc32(raw), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(says.size ?? raw.length, 18);
    common.writeUInt16LE(path.length, 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, path, packed]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE((mode << 16) >>> 0, 6);
    tail.writeUInt32LE(offset, 10);
    centrals.push(Buffer.concat([Buffer.from('PK\x01\x02'), Buffer.from([20, 3]), common, tail, path]));
    locals.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(centrals);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(items.length, 4);
  end.writeUInt16LE(items.length, 6);
  end.writeUInt32LE(directory.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...locals, directory, Buffer.from('PK\x05\x06'), end]);
}

const MANIFEST = 'id: demo\n';
const FILES = { 'manifest.yaml': MANIFEST, 'main.ts': 'export {}', 'lib/чат.ts': 'export {}' };
const items = (files: Record<string, string>, prefix = ''): ZipItem[] =>
  Object.entries(files).map(([name, content]) => ({ name: prefix + name, content }));
const inside = (tree: SourceTree) => [...tree.files.keys()].sort();

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'neira-source-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(path: string, content = 'x'): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), content);
}

test('the same files make the same digest, inline, as a folder and as a zip', async () => {
  for (const [path, content] of Object.entries(FILES)) write(path, content);
  const inline = sourceFromInline({ files: FILES });
  const trees = [
    inline,
    sourceFromInline({
      manifest: MANIFEST,
      files: {
        'lib/чат.ts': { base64: Buffer.from('export {}').toString('base64') },
        'main.ts': 'export {}',
      },
    }),
    await sourceFromFolder(folder),
    await sourceFromZip(zip(items(FILES))),
    await sourceFromZip(zip([{ name: 'demo-main/' }, ...items(FILES, 'demo-main/')])),
  ];
  for (const tree of trees) {
    expect(inside(tree)).toEqual(['lib/чат.ts', 'main.ts', 'manifest.yaml']);
    expect(digestOf(tree)).toBe(digestOf(inline));
    expect(manifestOf(tree)).toEqual({ path: 'manifest.yaml', text: MANIFEST });
  }
  expect(digestOf(sourceFromInline({ files: { ...FILES, 'main.ts': 'export { }' } }))).not.toBe(
    digestOf(inline),
  );
  expect(digestOf(sourceFromInline({ files: { ...FILES, 'signature.json': '{}' } }))).toBe(digestOf(inline));
});

test('there is exactly one manifest', () => {
  const refused = expect.objectContaining({ code: 'NEIRA_SOURCE_REFUSED' });
  expect(manifestOf(sourceFromInline({ manifest: { id: 'demo' }, files: { 'a.ts': '' } })).path).toBe(
    'manifest.json',
  );
  expect(() => manifestOf(sourceFromInline({ files: { 'a.ts': '' } }))).toThrow(refused);
  expect(() => manifestOf(sourceFromInline({ files: { 'manifest.yml': '', 'manifest.json': '' } }))).toThrow(
    refused,
  );
  expect(() => sourceFromInline({ manifest: 'id: a', files: { 'manifest.yaml': '' } })).toThrow(refused);
});

describe('inline files', () => {
  test.each<[string, Record<string, unknown>]>([
    ['a way out', { '../x.ts': '' }],
    ['an absolute path', { '/x.ts': '' }],
    ['a drive', { 'C:/x.ts': '' }],
    ['a backslash', { 'a\\b.ts': '' }],
    ['an empty part', { 'a//b.ts': '' }],
    ['a dot', { './b.ts': '' }],
    ['a control character', { 'a\nb.ts': '' }],
    ['a case collision', { 'Main.ts': '', 'main.ts': '' }],
    ['a collision of Unicode forms', { 'caf\u00e9.ts': '', 'cafe\u0301.ts': '' }],
    ['a file that is a folder too', { a: '', 'a/b.ts': '' }],
    ['folders that collide by case', { 'Lib/a.ts': '', 'lib/b.ts': '' }],
    ['something under .git', { '.git/config': '' }],
    ['base64 that is none', { 'a.bin': { base64: 'not base64!' } }],
    ['a number', { 'a.ts': 1 }],
    ['null', { 'a.ts': null }],
    ['nothing at all', {}],
    ['a long path', { ['a/'.repeat(300)]: '' }],
  ])('%s is refused', (_, files) => {
    expect(() => sourceFromInline({ files: files as Record<string, string> })).toThrow(
      expect.objectContaining({ code: 'NEIRA_SOURCE_REFUSED' }),
    );
  });

  test('caps hold for one file, for all together and for their number', () => {
    const limits = { maxFiles: 2, maxFileBytes: 4, maxTotalBytes: 6 };
    const intake = (files: Record<string, string>) => () => sourceFromInline({ files }, limits);
    expect(intake({ a: '1234', b: '12' })).not.toThrow();
    expect(intake({ a: '12345' })).toThrow('larger than 4');
    expect(intake({ a: '1234', b: '123' })).toThrow('larger than 6');
    expect(intake({ a: '', b: '', c: '' })).toThrow('more than 2 files');
  });
});

describe('a folder', () => {
  const refused = (reason: string) =>
    expect.objectContaining({ code: 'NEIRA_SOURCE_REFUSED', message: expect.stringContaining(reason) });

  test('leaves out .git and what editors drop, and keeps its own node_modules', async () => {
    for (const path of [
      'main.ts',
      '.git/HEAD',
      '.main.ts.swp',
      'main.ts~',
      '.DS_Store',
      'node_modules/a/index.js',
      'node_modules/.bin/a',
      '.hidden',
    ])
      write(path);
    expect(inside(await sourceFromFolder(folder))).toEqual(['.hidden', 'main.ts', 'node_modules/a/index.js']);
  });

  test('follows links that stay inside', async () => {
    write('lib/a.ts', 'inside');
    symlinkSync('lib/a.ts', join(folder, 'link.ts'));
    symlinkSync('lib', join(folder, 'other'));
    const tree = await sourceFromFolder(folder);
    expect(inside(tree)).toEqual(['lib/a.ts', 'link.ts', 'other/a.ts']);
    expect(tree.files.get('link.ts')!.toString()).toBe('inside');
  });

  test.each([
    ['/etc/hostname', 'leaves the folder'],
    ['/', 'leaves the folder'],
    ['..', 'leaves the folder'],
    ['.', 'holds it'],
    ['nowhere', 'cannot be read'],
    ['link', 'link to itself'],
  ])('a link to %s is refused', async (target, reason) => {
    write('main.ts');
    symlinkSync(target, join(folder, 'link'));
    await expect(sourceFromFolder(folder)).rejects.toEqual(refused(reason));
  });

  test('a sibling whose name begins alike is outside', async () => {
    const sibling = `${folder}-sibling`;
    mkdirSync(sibling);
    writeFileSync(join(sibling, 'x.ts'), '');
    symlinkSync(join(sibling, 'x.ts'), join(folder, 'x.ts'));
    await expect(sourceFromFolder(folder)).rejects.toEqual(refused('leaves the folder'));
    rmSync(sibling, { recursive: true });
  });

  test('a pipe is refused without waiting for it', async () => {
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    await expect(sourceFromFolder(folder)).rejects.toEqual(refused('neither a file nor a folder'));
  });

  test('a file or nothing is no folder', async () => {
    write('main.ts');
    await expect(sourceFromFolder(join(folder, 'main.ts'))).rejects.toEqual(refused('no folder'));
    await expect(sourceFromFolder(join(folder, 'nowhere'))).rejects.toEqual(refused('ENOENT'));
  });
});

describe('a zip', () => {
  const big = Buffer.alloc(3 * 1024 * 1024);
  test.each<[string, ZipItem[], string]>([
    ['a way out', [{ name: '../evil.ts' }], '../evil.ts'],
    ['a way out in the middle', [{ name: 'a/../../evil.ts' }], 'leaves'],
    ['a folder that is a way out', [{ name: '../' }], 'leaves'],
    ['an absolute path', [{ name: '/etc/passwd' }], 'absolute'],
    ['a drive', [{ name: 'C:/x' }], 'absolute'],
    ['backslashes', [{ name: '..\\evil.ts' }], 'backslash'],
    ['a null byte', [{ name: 'a\0.ts' }], 'printable'],
    ['a broken UTF-8 name', [{ name: Buffer.from([0x61, 0xff]) }], 'printable'],
    ['a link', [{ name: 'link', content: '/etc/passwd', mode: 0o120777 }], 'link'],
    ['a device', [{ name: 'dev', mode: 0o020666 }], 'special'],
    ['the same name twice', [{ name: 'a.ts' }, { name: 'a.ts' }], 'taken'],
    ['a case collision', [{ name: 'a.ts' }, { name: 'A.ts' }], 'taken'],
    [
      'an encrypted file',
      [{ name: 'a.ts', content: 'thirteenbytes', stored: true, flags: 0x801, says: { size: 1 } }],
      'encrypted',
    ],
    ['another method', [{ name: 'a.ts', content: 'x', method: 14 }], 'method 14'],
    ['a bomb', [{ name: 'bomb', content: big }], '200 times'],
    ['a bomb that lies about its size', [{ name: 'bomb', content: big, says: { size: 10 } }], 'bomb'],
    ['a file that is smaller than it says', [{ name: 'a', content: 'x', says: { size: 9 } }], 'unpacked'],
    ['a wrong checksum', [{ name: 'a', content: 'x', says: { crc: 1 } }], 'checksum'],
    ['a folder with bytes', [{ name: 'a/', content: 'x' }], 'folder'],
    ['nothing', [], 'no files'],
    ['only folders', [{ name: 'a/' }], 'no files'],
  ])('%s is refused, and the entry is named', async (_, entries, word) => {
    const error = await sourceFromZip(zip(entries)).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'NEIRA_ARCHIVE_REFUSED', message: expect.stringContaining(word) });
    if (entries.some(({ name }) => !String(name).endsWith('/')))
      expect((error as { details: object }).details).toHaveProperty('entry');
  });

  test('caps hold while it is read', async () => {
    const limits = { maxFiles: 2, maxFileBytes: 4, maxTotalBytes: 6 };
    const intake = (files: Record<string, string>) => sourceFromZip(zip(items(files)), limits);
    await expect(intake({ a: '12345' })).rejects.toThrow('larger than 4');
    await expect(intake({ a: '1234', b: '123' })).rejects.toThrow('larger than 6');
    await expect(intake({ a: '', b: '', c: '' })).rejects.toThrow('more than 2 files');
    await expect(intake({ a: '', b: '', c: '', d: '', e: '' })).rejects.toThrow('more than 2 files');
  });

  test.each([
    ['text', Buffer.from('this is no zip')],
    ['nothing', Buffer.alloc(0)],
    ['a cut one', zip(items(FILES)).subarray(40)],
    ['one with its end only', zip(items(FILES)).subarray(-22)],
  ])('%s is no zip', async (_, bytes) => {
    await expect(sourceFromZip(bytes)).rejects.toMatchObject({ code: 'NEIRA_ARCHIVE_REFUSED' });
  });

  test('random damage is refused or read, and never anything else', async () => {
    const whole = zip(items(FILES));
    for (let at = 0; at < whole.length; at++) {
      const damaged = Buffer.from(whole);
      damaged[at] = damaged[at]! ^ 0xff;
      await sourceFromZip(damaged).then(
        (tree) => expect(tree.files.size).toBeGreaterThan(0),
        (error) => expect(error).toMatchObject({ code: 'NEIRA_ARCHIVE_REFUSED' }),
      );
    }
  });
});

describe('signatures (HOST-26)', () => {
  const key = () =>
    generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const mine = key();
  const policy = (require: boolean, trusted: Record<string, string> = { me: publicKeyOf(mine) }) => ({
    require,
    trusted,
  });
  const tree = sourceFromInline({ files: FILES });
  const signature = signTree(tree, mine, 'me');
  const signed = (value: unknown, files: Record<string, string> = FILES) =>
    sourceFromInline({ files: { ...files, 'signature.json': JSON.stringify(value) } });
  const invalid = (reason: string) =>
    expect.objectContaining({ code: 'NEIRA_SIGNATURE_INVALID', message: expect.stringContaining(reason) });

  test('a signature by a trusted key is accepted, in the tree or apart', () => {
    expect(verifySignature(signed(signature), 'demo', policy(true))).toEqual({ signedBy: 'me' });
    expect(verifySignature(tree, 'demo', policy(true), signature)).toEqual({ signedBy: 'me' });
  });

  test('a changed file, manifest, name or signature is refused, required or not', () => {
    const changed = (files: Record<string, string>) => () =>
      verifySignature(signed(signature, files), 'demo', policy(false));
    expect(changed({ ...FILES, 'main.ts': 'evil()' })).toThrow(invalid('not what `me` signed'));
    expect(changed({ ...FILES, 'manifest.yaml': 'id: other' })).toThrow(invalid('not what'));
    expect(changed({ ...FILES, 'more.ts': '' })).toThrow(invalid('not what'));
    expect(() => verifySignature(signed(signTree(tree, key(), 'me')), 'demo', policy(false))).toThrow(
      invalid('not what'),
    );
    expect(() => verifySignature(tree, 'demo', policy(false), { keyId: 'me', signature: '' })).toThrow(
      invalid('not what'),
    );
  });

  test('what no trusted key signed is unsigned, and refused where signatures are required', () => {
    const stranger = signTree(tree, key(), 'stranger');
    expect(verifySignature(tree, 'demo', policy(false))).toEqual({ signedBy: null });
    expect(verifySignature(tree, 'demo', policy(false), stranger)).toEqual({ signedBy: null });
    expect(() => verifySignature(tree, 'demo', policy(true))).toThrow(invalid('not signed'));
    expect(() => verifySignature(tree, 'demo', policy(true), stranger)).toThrow(invalid('not trusted'));
    expect(() => verifySignature(tree, 'demo', policy(true), { ...signature, keyId: 'constructor' })).toThrow(
      invalid('not trusted'),
    );
  });

  test('a signature file that is none is refused, as are other kinds of keys', () => {
    expect(() => verifySignature(signed({ keyId: 1 }), 'demo', policy(false))).toThrow(
      invalid('signature.json'),
    );
    expect(() => verifySignature(signed(null), 'demo', policy(false))).toThrow(invalid('signature.json'));
    expect(() => verifySignature(tree, 'demo', policy(true, { me: 'AAAA' }), signature)).toThrow(
      invalid('32 bytes'),
    );
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({
      type: 'pkcs8',
      format: 'pem',
    });
    expect(() => signTree(tree, rsa.toString(), 'me')).toThrow('Ed25519');
  });
});
