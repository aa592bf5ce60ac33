/** Writes zips, also such as no tool writes: names, types, sizes and flags are what the caller says. */
import { crc32, deflateRawSync } from 'node:zlib';

export interface ZipEntry {
  readonly name: string;
  readonly content?: string | Buffer;
  readonly deflate?: boolean;
  /** Unix mode with the file type, for links and devices. */
  readonly mode?: number;
  /** What the headers say, where it is not the truth. */
  readonly says?: {
    readonly bytes?: number;
    readonly crc?: number;
    readonly method?: number;
    readonly flags?: number;
  };
}

const UTF8_NAME = 0x800;

export function zipOf(entries: readonly ZipEntry[]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, content = '', deflate = false, mode = 0o100644, says = {} } of entries) {
    const plain = Buffer.from(content);
    const data = deflate ? deflateRawSync(plain, { level: 9 }) : plain;
    const fileName = Buffer.from(name);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(says.flags ?? UTF8_NAME, 2);
    common.writeUInt16LE(says.method ?? (deflate ? 8 : 0), 4);
    common.writeUInt32LE((says.crc ?? crc32(plain)) >>> 0, 10);
    common.writeUInt32LE(data.length, 14);
    common.writeUInt32LE(says.bytes ?? plain.length, 18);
    common.writeUInt16LE(fileName.length, 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, fileName, data]);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE((mode << 16) >>> 0, 6);
    rest.writeUInt32LE(offset, 10);
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x03'), common, rest, fileName]));
    parts.push(local);
    offset += local.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06');
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, central, end]);
}
