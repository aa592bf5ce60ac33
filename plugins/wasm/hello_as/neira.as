// The host functions of Neira that this plugin calls, over the canonical ABI written out. A string of AssemblyScript
// lies in memory as the component model has UTF-16: an address and a number of code units. More functions are added
// in the same way; abi/types/neira.h shows for each which values it takes and how its answer lies in memory.
import { greet } from "./main";

@external("neira:host/storage@1.0.0", "get")
declare function importGet(key: usize, keyLength: i32, answer: usize): void;
@external("neira:host/storage@1.0.0", "set")
declare function importSet(key: usize, keyLength: i32, value: usize, valueLength: i32, hasVersion: i32, version: i64, answer: usize): void;
@external("neira:host/storage@1.0.0", "settings")
declare function importSettings(answer: usize): void;
@external("neira:host/io@1.0.0", "send")
declare function importSend(port: usize, portLength: i32, target: usize, targetLength: i32, payload: usize, payloadLength: i32, hasOptions: i32, hasAt: i32, at: usize, atLength: i32, answer: usize): void;
@external("neira:host/io@1.0.0", "log")
declare function importLog(level: i32, message: usize, messageLength: i32): void;

export const DEBUG: i32 = 0;
export const INFO: i32 = 1;
export const WARN: i32 = 2;
export const ERROR: i32 = 3;

/** Why a host function refused: a code of abi/errors.md, and its details as JSON. */
export class Refusal {
  constructor(readonly code: string, readonly message: string, readonly details: string) {}
}

/** A stored value, JSON, with its version. */
export class Entry {
  constructor(readonly key: string, readonly value: string, readonly version: u64) {}
}

/** What the last host function refused; null when it did not. */
export let refused: Refusal | null = null;

export function denied(): bool {
  return refused !== null && refused!.code == "NEIRA_PERMISSION_DENIED";
}

/** The value under `key`; null when there is none, or when it was refused. */
export function get(key: string): Entry | null {
  importGet(at(key), key.length, ANSWER);
  // The answer is aligned to 8 bytes, because an entry has a number of 64 bits.
  if (isRefused(8) || load<u8>(ANSWER, 8) == 0) return null;
  return new Entry(text(ANSWER + 16), text(ANSWER + 24), load<u64>(ANSWER, 32));
}

/** Stages `value`, JSON, under `key`. False when it was refused. */
export function set(key: string, value: string): bool {
  importSet(at(key), key.length, at(value), value.length, 0, 0, ANSWER);
  return !isRefused(4);
}

/** The settings of the plugin, JSON. */
export function settings(): string {
  importSettings(ANSWER);
  return text(ANSWER);
}

/** Stages `payload`, JSON, for `target` on `port`. False when it was refused. */
export function send(port: string, target: string, payload: string): bool {
  importSend(at(port), port.length, at(target), target.length, at(payload), payload.length, 0, 0, 0, 0, ANSWER);
  return !isRefused(4);
}

export function log(level: i32, message: string): void {
  importLog(level, at(message), message.length);
}

// --- memory

/** Room for the largest answer. */
const ANSWER = memory.data(64, 8);
const OUTCOME = memory.data(16, 8);
let failure: bool = false;

function at(value: string): usize {
  return changetype<usize>(value);
}

/** The text whose address and length lie at `pair`. */
function text(pair: usize): string {
  return String.UTF16.decodeUnsafe(load<usize>(pair), <usize>load<i32>(pair, 4) << 1);
}

/** Whether the answer is a refusal, which then lies `offset` bytes into it. */
function isRefused(offset: usize): bool {
  const first = ANSWER + offset;
  refused = load<u8>(ANSWER) == 0 ? null : new Refusal(text(first), text(first + 8), text(first + 16));
  return refused !== null;
}

/** Fails the turn with this text: `return failed("…")`. The code of a refusal lets that refusal through. */
export function failed(reason: string): string {
  failure = true;
  return reason;
}

/** Called by the host for what it passes in. A turn has an instance to itself, so nothing is freed. */
export function cabi_realloc(old: usize, had: usize, align: usize, bytes: usize): usize {
  if (bytes == 0) return align;
  return had == 0 ? heap.alloc(bytes) : heap.realloc(old, bytes);
}

/** One turn: the envelope in, the reply out. */
export function handle(input: usize, length: i32): usize {
  failure = false;
  const answer = greet(String.UTF16.decodeUnsafe(input, <usize>length << 1));
  store<u8>(OUTCOME, failure ? 1 : 0);
  store<usize>(OUTCOME, at(answer), 4);
  store<i32>(OUTCOME, answer.length, 8);
  return OUTCOME;
}
