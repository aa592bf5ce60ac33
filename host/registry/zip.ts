import type { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import { type Entry, fromBufferPromise, getFileNameLowLevel, type ZipFile } from 'yauzl';
import { isNeiraError } from '../errors.ts';
import { isLeftOut, type Refuse, type SourceLimits, type TreeBuilder } from './tree.ts';

/** A file may grow this much when unpacked, once it is over {@link RATIO_FROM_BYTES}. */
const MAX_RATIO = 200;
const RATIO_FROM_BYTES = 1024 * 1024;
const STORED = 0;
const DEFLATED = 8;
/** The file type bits of a Unix mode, in the upper half of the external attributes. */
const TYPE_BITS = 0o170000;
const REGULAR = 0o100000;
const FOLDER = 0o040000;

/**
 * Reads a zip into `tree`, entry by entry. What an entry declares is checked before it is unpacked, and
 * what comes out is counted while it is: a declaration that lies ends there.
 */
export async function readZip(
  archive: Buffer,
  limits: SourceLimits,
  tree: TreeBuilder,
  refuse: Refuse,
): Promise<void> {
  try {
    // Names are decoded below: yauzl would turn backslashes into slashes, or refuse without the name.
    const zip = await fromBufferPromise(archive, { decodeStrings: false });
    if (zip.entryCount > limits.maxFiles * 2) throw refuse(`it has more than ${limits.maxFiles} files`);
    let entries = 0;
    for await (const entry of zip.eachEntry()) {
      if (++entries > limits.maxFiles * 2) throw refuse(`it has more than ${limits.maxFiles} files`);
      await readEntry(zip, entry, limits, tree, refuse);
    }
  } catch (error) {
    if (isNeiraError(error)) throw error;
    throw refuse(`it is no readable zip (${error instanceof Error ? error.message : String(error)})`);
  }
}

async function readEntry(
  zip: ZipFile,
  entry: Entry,
  limits: SourceLimits,
  tree: TreeBuilder,
  refuse: Refuse,
): Promise<void> {
  const name = getFileNameLowLevel(entry.generalPurposeBitFlag, entry.fileNameRaw, entry.extraFields, true);
  const isFolder = name.endsWith('/');
  tree.checkPath(isFolder ? name.slice(0, -1) : name);

  const type = (entry.externalFileAttributes >>> 16) & TYPE_BITS;
  if (type !== 0 && type !== (isFolder ? FOLDER : REGULAR))
    throw refuse('it is a link or a special file', name);
  if (isFolder) {
    if (entry.uncompressedSize > 0) throw refuse('it is a folder that holds bytes', name);
    return;
  }
  if (isLeftOut(name)) return;
  if (entry.isEncrypted()) throw refuse('it is encrypted', name);
  if (entry.compressionMethod !== STORED && entry.compressionMethod !== DEFLATED) {
    throw refuse(`it is packed by method ${entry.compressionMethod}, not deflate`, name);
  }
  const { uncompressedSize, compressedSize } = entry;
  if (uncompressedSize > limits.maxFileBytes)
    throw refuse(`it is larger than ${limits.maxFileBytes} bytes`, name);
  if (uncompressedSize > tree.remainingBytes)
    throw refuse(`the files together are larger than ${limits.maxTotalBytes} bytes`, name);
  if (uncompressedSize > RATIO_FROM_BYTES && uncompressedSize > compressedSize * MAX_RATIO) {
    throw refuse(`it unpacks to more than ${MAX_RATIO} times its size`, name);
  }
  const content = await unpack(zip, entry).catch((error: Error) => {
    throw refuse(`it cannot be unpacked (${error.message})`, name);
  });
  if (crc32(content) !== entry.crc32) throw refuse('its checksum is wrong', name);
  tree.add(name, content);
}

async function unpack(zip: ZipFile, entry: Entry): Promise<Buffer> {
  const stream: Readable = await zip.openReadStreamPromise(entry);
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > entry.uncompressedSize) throw new Error('it is larger than it says');
    chunks.push(chunk);
  }
  if (bytes !== entry.uncompressedSize) throw new Error('it is smaller than it says');
  return Buffer.concat(chunks);
}
