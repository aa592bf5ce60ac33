/** Reads what transcripts.ts wrote: from the newest back, a segment at a time. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import type { StoredFailure } from './reads.ts';
import type { TurnFailure } from './records.ts';
import { segmentName, segmentNumbers, transcriptsFolder } from './transcripts.ts';

/** A line of a segment, and those before it in the same one, for what it follows. */
export interface KeptLine {
  readonly text: string;
  /** The lines before it, the nearest first. */
  before(): Iterable<string>;
}

const NEWLINE = 0x0a;

/** A failed turn from which it can be run again, where that was kept. */
export interface FailedTurn extends Omit<StoredFailure, 'reads'> {
  readonly transcript: string | null;
}

const FAILED = `seq, plugin, turn_id as turnId, digest as version, event_id as eventId, at_ms as atMs, error, envelope,
  transcript`;

export function createTranscriptReads(db: DatabaseSync, home: string) {
  const failed = db.prepare(`select ${FAILED} from failure where turn_id = ? order by seq desc limit 1`);
  const failedOf = db.prepare(
    `select ${FAILED} from failure where plugin = ? and at_ms >= ? and at_ms < ? order by seq desc`,
  );
  const failing = db.prepare('select distinct plugin from failure order by plugin');
  const failedTurn = (row: Record<string, unknown>) =>
    ({ ...row, error: JSON.parse(row['error'] as string) as TurnFailure }) as unknown as FailedTurn;

  /** The newest first. */
  function* lines(plugin: string): Generator<KeptLine> {
    const folder = transcriptsFolder(home, plugin);
    for (const number of segmentNumbers(folder).toReversed()) {
      const bytes = contentOf(join(folder, segmentName(number)));
      for (const { text, start } of backwards(bytes, bytes.length))
        yield {
          text,
          *before() {
            for (const earlier of backwards(bytes, start)) yield earlier.text;
          },
        };
    }
  }

  return {
    transcripts: lines,
    /** Plugins of which any turn is kept. */
    transcribed(): readonly string[] {
      const failures = failing.all().map((row) => row['plugin'] as string);
      return [...new Set([...foldersIn(transcriptsFolder(home)), ...failures])].sort();
    },
    failedTurn(turnId: string): FailedTurn | undefined {
      const row = failed.get(turnId);
      return row && failedTurn(row);
    },
    /** The newest first, one by one as they are asked for. `untilMs` is not part of it. */
    *failedTurns(plugin: string, sinceMs: number, untilMs: number): Generator<FailedTurn> {
      for (const row of failedOf.iterate(plugin, sinceMs, untilMs)) yield failedTurn(row);
    },
    /** The transcript of a turn that succeeded: the last of its name. */
    transcript(plugin: string, turnId: string): KeptLine | undefined {
      const name = `"turnId":${JSON.stringify(turnId)}`;
      for (const line of lines(plugin)) if (line.text.includes(name) && isOf(line.text, turnId)) return line;
      return undefined;
    },
  };
}

function foldersIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    // No turn was kept yet.
    return [];
  }
}

/** A segment may be deleted while it is looked for. */
function contentOf(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    return Buffer.alloc(0);
  }
}

/** Whole lines that end before `end`, the last first; one that was cut off is none. */
function* backwards(bytes: Buffer, end: number): Generator<{ text: string; start: number }> {
  for (let stop = bytes.lastIndexOf(NEWLINE, end - 1); stop >= 0; ) {
    const start = stop === 0 ? 0 : bytes.lastIndexOf(NEWLINE, stop - 1) + 1;
    const text = bytes.toString('utf8', start, stop);
    if (text.startsWith('{') && text.endsWith('}')) yield { text, start };
    stop = start - 1;
  }
}

function isOf(text: string, turnId: string): boolean {
  return (JSON.parse(text) as { turn: { turnId: string } }).turn.turnId === turnId;
}
