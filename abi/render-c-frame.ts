/** What of abi/types/neira.h does not follow from the WIT: texts, memory and exports. */

export const C_HEAD = `// Generated from abi/wit/v1 by \`npm run gen\`. Do not edit.
/**
 * The host functions of Neira for plugins in C: C11, no other header than those of the compiler.
 *
 * Define NEIRA_PLUGIN in one file before this is included, and write there
 *
 *     bool neira_handle(neira_string input, neira_string *answer);
 *
 * \`input\` is the envelope, a JSON text. Set \`*answer\` and return true: it is the reply, a JSON text. Return false:
 * it is an error text, the turn fails and nothing of it is kept; a text that is the code of a refusal lets that
 * refusal through. With NEIRA_PREPARE defined as well, write \`bool neira_prepare(neira_string *error);\`.
 *
 * Host functions answer true, or false with a \`refusal\`. Where an answer or a refusal is not wanted, pass NULL; an
 * option that is NULL is none. Texts are UTF-8 with a length and without a zero at the end. What the host answers lies
 * in memory of the plugin and is its own. A turn has an instance to itself, so nothing need ever be freed.
 */
#ifndef NEIRA_H
#define NEIRA_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct { const char *ptr; size_t len; } neira_string;

/** A text written between quotes. */
#define NEIRA_TEXT(literal) ((neira_string){literal, sizeof(literal) - 1})

/** Memory until the turn ends, for whatever type; it traps where there is no more. */
void *neira_alloc(size_t bytes);
`;

export const C_TAIL = `#ifdef NEIRA_PLUGIN
bool neira_handle(neira_string input, neira_string *answer);

/** Enough for most turns; a turn that needs more takes whole pages. */
#ifndef NEIRA_ARENA_BYTES
#define NEIRA_ARENA_BYTES 32768
#endif

static _Alignas(16) unsigned char neira_arena[NEIRA_ARENA_BYTES];
static uintptr_t neira_free_at;
static uintptr_t neira_free_end;

void *neira_alloc(size_t bytes) {
  const size_t page = 65536;
  if (neira_free_at == 0) {
    neira_free_at = (uintptr_t)neira_arena;
    neira_free_end = neira_free_at + sizeof neira_arena;
  }
  if (bytes > (size_t)1 << 31) __builtin_trap();
  bytes = (bytes + 15) & ~(size_t)15;
  if (bytes > neira_free_end - neira_free_at) {
    // Others may take pages too, so these need not follow those before.
    const size_t pages = (bytes + page - 1) / page;
    const size_t first = __builtin_wasm_memory_grow(0, pages);
    if (first == SIZE_MAX) __builtin_trap();
    neira_free_at = first * page;
    neira_free_end = neira_free_at + pages * page;
  }
  void *taken = (void *)neira_free_at;
  neira_free_at += bytes;
  return taken;
}

/** Called by the host for what it passes in. */
__attribute__((export_name("cabi_realloc")))
void *neira_realloc(void *old, size_t old_bytes, size_t align, size_t bytes) {
  (void)align;
  if (bytes <= old_bytes) return old;
  unsigned char *made = neira_alloc(bytes);
  for (size_t i = 0; i < old_bytes; i++) made[i] = ((unsigned char *)old)[i];
  return made;
}

typedef struct { uint8_t is_err; neira_string text; } neira_outcome;

__attribute__((export_name("handle")))
const neira_outcome *neira_export_handle(const char *ptr, size_t len) {
  static neira_outcome outcome;
  outcome.text = NEIRA_TEXT("");
  outcome.is_err = !neira_handle((neira_string){ptr, len}, &outcome.text);
  return &outcome;
}

#ifdef NEIRA_PREPARE
bool neira_prepare(neira_string *error);

__attribute__((export_name("prepare")))
const neira_outcome *neira_export_prepare(void) {
  static neira_outcome outcome;
  outcome.text = NEIRA_TEXT("");
  outcome.is_err = !neira_prepare(&outcome.text);
  return &outcome;
}
#endif
#endif
#endif
`;
