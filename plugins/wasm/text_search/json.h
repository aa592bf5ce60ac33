/** As much of JSON as the plugin meets: fields of objects, items of arrays, texts and whole numbers. */
#ifndef JSON_H
#define JSON_H
#include "bytes.h"

/** Stands before a value. What the host gives is well-formed; what is not ends the reading. */
typedef struct {
  const char *at;
  const char *end;
} json;

static json json_of(neira_string text) { return (json){text.ptr, text.ptr + text.len}; }

static void skip_spaces(json *from) {
  while (from->at < from->end && (*from->at == ' ' || *from->at == '\n' || *from->at == '\t' || *from->at == '\r'))
    from->at++;
}

static bool take_sign(json *from, char sign) {
  skip_spaces(from);
  if (from->at >= from->end || *from->at != sign) return false;
  from->at++;
  return true;
}

/** Goes behind a text without reading it; `from` stands before its quote. */
static void skip_quoted(json *from) {
  for (from->at++; from->at < from->end && *from->at != '"'; from->at++)
    if (*from->at == '\\') from->at++;
  from->at++;
}

/** Goes behind a value, however deep it is. */
static void skip_value(json *from) {
  size_t depth = 0;
  skip_spaces(from);
  while (from->at < from->end) {
    const char sign = *from->at;
    if (sign == '"') {
      skip_quoted(from);
    } else if (sign == '{' || sign == '[') {
      depth++;
      from->at++;
    } else if (sign == '}' || sign == ']') {
      if (depth == 0) return;
      depth--;
      from->at++;
    } else if (sign == ',' && depth == 0) {
      return;
    } else {
      from->at++;
      continue;
    }
    if (depth == 0) return;
  }
}

/** Finds a field of an object by a name without escapes. */
static bool json_field(json object, neira_string name, json *value) {
  if (!take_sign(&object, '{')) return false;
  while (object.at < object.end && !take_sign(&object, '}')) {
    skip_spaces(&object);
    const char *from = object.at + 1;
    skip_quoted(&object);
    const bool found = object.at <= object.end && same_text((neira_string){from, (size_t)(object.at - 1 - from)}, name);
    if (!take_sign(&object, ':')) return false;
    if (found) {
      *value = object;
      return true;
    }
    skip_value(&object);
    take_sign(&object, ',');
  }
  return false;
}

/** Enters an array; then `json_item` gives its items one by one, and each has to be read or skipped. */
static bool json_array(json *value) { return take_sign(value, '['); }

static bool json_item(json *array) {
  take_sign(array, ',');
  skip_spaces(array);
  return array->at < array->end && *array->at != ']';
}

static uint32_t hex_value(char letter) {
  if (letter >= '0' && letter <= '9') return (uint32_t)(letter - '0');
  if (letter >= 'a' && letter <= 'f') return (uint32_t)(letter - 'a' + 10);
  if (letter >= 'A' && letter <= 'F') return (uint32_t)(letter - 'A' + 10);
  return 0;
}

static void put_utf8(buffer *to, uint32_t code) {
  if (code < 0x80) {
    put_byte(to, (uint8_t)code);
  } else if (code < 0x800) {
    put_byte(to, (uint8_t)(0xc0 | code >> 6));
    put_byte(to, (uint8_t)(0x80 | (code & 63)));
  } else if (code < 0x10000) {
    put_byte(to, (uint8_t)(0xe0 | code >> 12));
    put_byte(to, (uint8_t)(0x80 | (code >> 6 & 63)));
    put_byte(to, (uint8_t)(0x80 | (code & 63)));
  } else {
    put_byte(to, (uint8_t)(0xf0 | code >> 18));
    put_byte(to, (uint8_t)(0x80 | (code >> 12 & 63)));
    put_byte(to, (uint8_t)(0x80 | (code >> 6 & 63)));
    put_byte(to, (uint8_t)(0x80 | (code & 63)));
  }
}

static uint32_t take_hex4(json *from) {
  uint32_t code = 0;
  for (int digit = 0; digit < 4 && from->at < from->end; digit++) code = code << 4 | hex_value(*from->at++);
  return code;
}

static void put_escaped(buffer *to, json *from) {
  const char sign = *from->at++;
  static const char PLAIN[] = "n\nt\tr\rb\bf\f";
  for (size_t at = 0; at + 1 < sizeof PLAIN; at += 2)
    if (PLAIN[at] == sign) {
      put_byte(to, (uint8_t)PLAIN[at + 1]);
      return;
    }
  if (sign != 'u') {
    put_byte(to, (uint8_t)sign);
    return;
  }
  uint32_t code = take_hex4(from);
  const bool pair = code >> 10 == 0x36 && from->end - from->at >= 6 && from->at[0] == '\\' && from->at[1] == 'u';
  if (pair) {
    from->at += 2;
    code = 0x10000 + ((code & 0x3ff) << 10) + (take_hex4(from) & 0x3ff);
  }
  // Half of a pair stands for nothing, and has no form in UTF-8.
  put_utf8(to, code >> 11 == 0x1b ? 0xfffd : code);
}

static bool json_text(json value, neira_string *text) {
  skip_spaces(&value);
  if (value.at >= value.end || *value.at != '"') return false;
  value.at++;
  buffer made = {0};
  while (value.at < value.end && *value.at != '"') {
    const char *from = value.at;
    while (value.at < value.end && *value.at != '"' && *value.at != '\\') value.at++;
    put(&made, from, (size_t)(value.at - from));
    if (value.at + 1 < value.end && *value.at == '\\') {
      value.at++;
      put_escaped(&made, &value);
    }
  }
  *text = text_of(made);
  return true;
}

/** A whole number that is not negative, and goes behind it. */
static bool take_whole(json *value, uint64_t *number) {
  skip_spaces(value);
  if (value->at >= value->end || *value->at < '0' || *value->at > '9') return false;
  for (*number = 0; value->at < value->end && *value->at >= '0' && *value->at <= '9'; value->at++)
    *number = *number * 10 + (uint64_t)(*value->at - '0');
  return true;
}

static void put_whole(buffer *to, uint64_t number) {
  char digits[20];
  size_t from = sizeof digits;
  do digits[--from] = (char)('0' + number % 10);
  while ((number /= 10) > 0);
  put(to, digits + from, sizeof digits - from);
}

/** To four places, which is finer than scores differ in a way that means something. */
static void put_score(buffer *to, double score) {
  const uint64_t rounded = (uint64_t)(score * 10000 + 0.5);
  put_whole(to, rounded / 10000);
  const char places[] = {'.', (char)('0' + rounded / 1000 % 10), (char)('0' + rounded / 100 % 10),
                         (char)('0' + rounded / 10 % 10), (char)('0' + rounded % 10)};
  put(to, places, sizeof places);
}

static void put_json(buffer *to, neira_string text) {
  put_byte(to, '"');
  for (size_t at = 0; at < text.len; at++) {
    const uint8_t byte = (uint8_t)text.ptr[at];
    if (byte == '"' || byte == '\\') put_byte(to, '\\');
    if (byte >= ' ') {
      put_byte(to, byte);
    } else {
      put_text(to, NEIRA_TEXT("\\u00"));
      put_byte(to, (uint8_t)('0' + (byte >> 4)));
      put_byte(to, (uint8_t)("0123456789abcdef"[byte & 15]));
    }
  }
  put_byte(to, '"');
}
#endif
