/**
 * As much JSON as a small plugin needs: a value found by its path, a text read and written, texts put together.
 *
 * What is read comes from the host and is valid JSON; a path that is not there is no error.
 */
#ifndef JSON_H
#define JSON_H
#include "neira.h"

static bool json_is(neira_string text, const char *literal) {
  size_t at = 0;
  while (at < text.len && literal[at] != 0 && text.ptr[at] == literal[at]) at++;
  return at == text.len && literal[at] == 0;
}

// --- reading

static const char *json_past_space(const char *at, const char *end) {
  while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) at++;
  return at;
}

/** Behind the text that begins with the quote at `at`. */
static const char *json_past_text(const char *at, const char *end) {
  for (at++; at < end && *at != '"'; at++)
    if (*at == '\\') at++;
  return at < end ? at + 1 : end;
}

/** Behind the value that begins at `at`, whatever it is. */
static const char *json_past_value(const char *at, const char *end) {
  size_t depth = 0;
  while (at < end) {
    const char sign = *at;
    if (depth == 0 && (sign == ',' || sign == '}' || sign == ']')) break;
    if (sign == '"') {
      at = json_past_text(at, end);
      continue;
    }
    if (sign == '{' || sign == '[') depth++;
    if (sign == '}' || sign == ']') depth--;
    at++;
  }
  return at;
}

/** The member of that name, of an object. */
static bool json_member(neira_json object, neira_string name, neira_json *value) {
  const char *end = object.ptr + object.len;
  const char *at = json_past_space(object.ptr, end);
  if (at == end || *at != '{') return false;
  for (at = json_past_space(at + 1, end); at < end && *at == '"'; at = json_past_space(at + 1, end)) {
    const char *quoted = at + 1;
    at = json_past_text(at, end);
    const size_t length = (size_t)(at - quoted) - 1;
    at = json_past_space(at, end);
    const char *begin = json_past_space(at + 1, end);
    at = json_past_value(begin, end);
    bool same = length == name.len;
    for (size_t i = 0; same && i < length; i++) same = quoted[i] == name.ptr[i];
    if (same) {
      *value = (neira_json){begin, (size_t)(at - begin)};
      return true;
    }
    if (at == end || *at != ',') return false;
  }
  return false;
}

/** Goes down by the names in `path`, which stand between dots. */
static bool json_find(neira_json json, const char *path, neira_json *value) {
  *value = json;
  while (*path != 0) {
    size_t length = 0;
    while (path[length] != 0 && path[length] != '.') length++;
    if (!json_member(*value, (neira_string){path, length}, value)) return false;
    path += length + (path[length] == '.');
  }
  return true;
}

static uint32_t json_hex(const char *at) {
  uint32_t code = 0;
  for (int i = 0; i < 4; i++) {
    const char sign = at[i];
    code = code * 16 + (uint32_t)(sign <= '9' ? sign - '0' : (sign | 32) - 'a' + 10);
  }
  return code;
}

static char *json_utf8(char *to, uint32_t code) {
  if (code < 0x80) {
    *to++ = (char)code;
    return to;
  }
  if (code < 0x800) *to++ = (char)(0xc0 | code >> 6);
  else {
    if (code < 0x10000) *to++ = (char)(0xe0 | code >> 12);
    else {
      *to++ = (char)(0xf0 | code >> 18);
      *to++ = (char)(0x80 | (code >> 12 & 0x3f));
    }
    *to++ = (char)(0x80 | (code >> 6 & 0x3f));
  }
  *to++ = (char)(0x80 | (code & 0x3f));
  return to;
}

/** What a text says; false for a value that is none. */
static bool json_text(neira_json json, neira_string *text) {
  if (json.len < 2 || *json.ptr != '"') return false;
  const char *end = json_past_text(json.ptr, json.ptr + json.len) - 1;
  // No escape is longer as UTF-8 than it is written.
  char *made = neira_alloc(json.len);
  char *to = made;
  for (const char *at = json.ptr + 1; at < end; at++) {
    if (*at != '\\') {
      *to++ = *at;
      continue;
    }
    const char sign = *++at;
    if (sign == 'u') {
      uint32_t code = json_hex(at + 1);
      at += 4;
      if (code >= 0xd800 && code < 0xdc00 && at + 6 < end && at[1] == '\\') {
        code = 0x10000 + ((code - 0xd800) << 10) + (json_hex(at + 3) - 0xdc00);
        at += 6;
      }
      to = json_utf8(to, code);
    } else {
      *to++ = sign == 'n' ? '\n' : sign == 't' ? '\t' : sign == 'r' ? '\r' : sign == 'b' ? '\b' : sign == 'f' ? '\f' : sign;
    }
  }
  *text = (neira_string){made, (size_t)(to - made)};
  return true;
}

/** A whole number that is not negative; the part before a point of others. */
static uint64_t json_whole(neira_json json) {
  uint64_t number = 0;
  for (size_t i = 0; i < json.len && json.ptr[i] >= '0' && json.ptr[i] <= '9'; i++)
    number = number * 10 + (uint64_t)(json.ptr[i] - '0');
  return number;
}

// --- writing

typedef struct { char *ptr; size_t len; size_t room; } text;

static neira_string text_done(text made) {
  return (neira_string){made.ptr, made.len};
}

static void text_add(text *to, neira_string more) {
  if (to->room - to->len < more.len) {
    const size_t room = 2 * to->room + more.len + 32;
    char *made = neira_alloc(room);
    for (size_t i = 0; i < to->len; i++) made[i] = to->ptr[i];
    to->ptr = made;
    to->room = room;
  }
  for (size_t i = 0; i < more.len; i++) to->ptr[to->len++] = more.ptr[i];
}

static void text_add_whole(text *to, uint64_t number) {
  char digits[20];
  size_t at = sizeof digits;
  do digits[--at] = (char)('0' + number % 10);
  while (number /= 10);
  text_add(to, (neira_string){digits + at, sizeof digits - at});
}

/** The text as JSON, between quotes. */
static void text_add_json(text *to, neira_string more) {
  static const char hex[] = "0123456789abcdef";
  text_add(to, NEIRA_TEXT("\""));
  for (size_t i = 0; i < more.len; i++) {
    const unsigned char sign = (unsigned char)more.ptr[i];
    if (sign == '"' || sign == '\\') text_add(to, NEIRA_TEXT("\\"));
    if (sign >= 0x20) {
      text_add(to, (neira_string){more.ptr + i, 1});
      continue;
    }
    const char escape[] = {'\\', 'u', '0', '0', hex[sign >> 4], hex[sign & 15]};
    text_add(to, (neira_string){escape, sizeof escape});
  }
  text_add(to, NEIRA_TEXT("\""));
}
#endif
