/** Buffers that grow, numbers of variable length, and bytes as Base64. */
#ifndef BYTES_H
#define BYTES_H
#include <string.h>

#include "neira.h"

typedef struct {
  uint8_t *ptr;
  size_t len;
  size_t size;
} buffer;

/** Bytes that are read from front to back. */
typedef struct {
  const uint8_t *at;
  const uint8_t *end;
} reader;

static void put(buffer *to, const void *from, size_t len) {
  if (to->len + len > to->size) {
    const size_t size = (to->len + len) * 2 + 32;
    uint8_t *grown = neira_alloc(size);
    if (to->len > 0) memcpy(grown, to->ptr, to->len);
    to->ptr = grown;
    to->size = size;
  }
  if (len > 0) memcpy(to->ptr + to->len, from, len);
  to->len += len;
}

static void put_text(buffer *to, neira_string text) { put(to, text.ptr, text.len); }

static void put_byte(buffer *to, uint8_t byte) { put(to, &byte, 1); }

/** Seven bits a byte, the lowest first. */
static void put_varint(buffer *to, uint64_t number) {
  while (number >= 128) {
    put_byte(to, (uint8_t)(number | 128));
    number >>= 7;
  }
  put_byte(to, (uint8_t)number);
}

/** 0 at the end of the bytes: what is broken ends early, and reads nothing beyond. */
static uint64_t take_varint(reader *from) {
  uint64_t number = 0;
  for (int shift = 0; shift < 64 && from->at < from->end; shift += 7) {
    const uint8_t byte = *from->at++;
    number |= (uint64_t)(byte & 127) << shift;
    if (byte < 128) break;
  }
  return number;
}

/** So many bytes, or as many as there are. */
static reader take_bytes(reader *from, uint64_t len) {
  const size_t left = (size_t)(from->end - from->at);
  const size_t taken = len < left ? (size_t)len : left;
  const reader part = {from->at, from->at + taken};
  from->at += taken;
  return part;
}

static neira_string text_of(buffer from) { return (neira_string){(const char *)from.ptr, from.len}; }

static bool same_text(neira_string a, neira_string b) { return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0; }

/** By bytes, as the host orders keys. */
static int compare_texts(neira_string a, neira_string b) {
  const int order = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);
  if (order != 0) return order;
  return a.len < b.len ? -1 : a.len > b.len;
}

static bool begins_with(neira_string text, neira_string prefix) {
  return text.len >= prefix.len && memcmp(text.ptr, prefix.ptr, prefix.len) == 0;
}

/** An ending of words with its length. */
typedef struct {
  uint8_t len;
  char text[15];
} ending;

#define ENDING(literal) {sizeof(literal) - 1, literal}
/** Stands behind the last of a list. */
#define NO_ENDING {0, ""}

static bool has_ending(const char *at, size_t len, const ending *of) {
  if (len < of->len || at[len - 1] != of->text[of->len - 1]) return false;
  return memcmp(at + len - of->len, of->text, of->len) == 0;
}

static const char BASE64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void put_base64(buffer *to, buffer bytes) {
  for (size_t at = 0; at < bytes.len; at += 3) {
    const size_t left = bytes.len - at;
    const uint32_t three = (uint32_t)bytes.ptr[at] << 16 | (left > 1 ? (uint32_t)bytes.ptr[at + 1] << 8 : 0) |
                           (left > 2 ? bytes.ptr[at + 2] : 0);
    const char four[] = {BASE64[three >> 18], BASE64[three >> 12 & 63], left > 1 ? BASE64[three >> 6 & 63] : '=',
                         left > 2 ? BASE64[three & 63] : '='};
    put(to, four, 4);
  }
}

static int base64_value(char letter) {
  if (letter >= 'A' && letter <= 'Z') return letter - 'A';
  if (letter >= 'a' && letter <= 'z') return letter - 'a' + 26;
  if (letter >= '0' && letter <= '9') return letter - '0' + 52;
  return letter == '+' ? 62 : letter == '/' ? 63 : -1;
}

/** The bytes of a text that `put_base64` wrote. */
static reader take_base64(neira_string text) {
  uint8_t *bytes = neira_alloc(text.len / 4 * 3 + 3);
  size_t len = 0;
  uint32_t bits = 0;
  int count = 0;
  for (size_t at = 0; at < text.len; at++) {
    const int value = base64_value(text.ptr[at]);
    if (value < 0) break;
    bits = bits << 6 | (uint32_t)value;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes[len++] = (uint8_t)(bits >> count);
  }
  return (reader){bytes, bytes + len};
}
#endif
