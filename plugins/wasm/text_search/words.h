/** Words of a text: folded, so that forms of writing are one, and stemmed, so that forms of a word are one. */
#ifndef WORDS_H
#define WORDS_H
#include "json.h"
#include "stem_en.h"
#include "stem_ru.h"

/** What of a word is kept. */
#define MAX_WORD_BYTES 64

typedef struct {
  /** As it is written, in the text. */
  neira_string written;
  /** Folded: small letters without accents. */
  char folded[MAX_WORD_BYTES + 4];
  size_t folded_len;
  char stem[MAX_WORD_BYTES + 4];
  size_t stem_len;
} word;

static neira_string folded_of(const word *of) { return (neira_string){of->folded, of->folded_len}; }

static neira_string stem_of(const word *of) { return (neira_string){of->stem, of->stem_len}; }

/** The code point at the front, and goes behind it. The host gives UTF-8 only. */
static uint32_t take_code(reader *from) {
  const uint8_t first = *from->at++;
  if (first < 0x80) return first;
  const int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
  uint32_t code = first & (0x3f >> more);
  for (int each = 0; each < more && from->at < from->end; each++) code = code << 6 | (*from->at++ & 63);
  return code;
}

/** U+00C0 to U+017F: the plain letter; `.` stays a letter of its own, a space is none. */
static const char LATIN[] =
    "aaaaaa.ceeeeiiii.nooooo ouuuuy..aaaaaa.ceeeeiiii.nooooo ouuuuy.y"
    "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiii..jjkk.lllllll"
    "lllnnnnnnn..oooooo..rrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";

static bool within(uint32_t code, uint32_t first, uint32_t last) { return code >= first && code <= last; }

static uint32_t fold_latin(uint32_t code) {
  const char plain = LATIN[code - 0xc0];
  if (plain != '.') return plain == ' ' ? 0 : (uint32_t)plain;
  if (within(code, 0xc0, 0xde)) return code + 0x20;
  return code == 0x132 || code == 0x14a || code == 0x152 ? code + 1 : code;
}

static uint32_t fold_cyrillic(uint32_t code) {
  if (within(code, 0x410, 0x42f)) return code + 0x20;
  if (code == 0x401 || code == 0x451) return 0x435;
  if (within(code, 0x400, 0x40f)) return code + 0x50;
  if (within(code, 0x460, 0x481) || within(code, 0x48a, 0x4bf) || within(code, 0x4d0, 0x52f)) return code | 1;
  return within(code, 0x482, 0x489) ? 0 : code;
}

static uint32_t fold_greek(uint32_t code) {
  if (within(code, 0x391, 0x3a9)) return code + 0x20;
  static const struct { uint16_t from, to; } ACCENTED[] = {
      {0x386, 0x3b1}, {0x388, 0x3b5}, {0x389, 0x3b7}, {0x38a, 0x3b9}, {0x38c, 0x3bf}, {0x38e, 0x3c5}, {0x38f, 0x3c9},
      {0x3ac, 0x3b1}, {0x3ad, 0x3b5}, {0x3ae, 0x3b7}, {0x3af, 0x3b9}, {0x3cc, 0x3bf}, {0x3cd, 0x3c5}, {0x3ce, 0x3c9},
      {0x3c2, 0x3c3}};
  for (size_t each = 0; each < sizeof ACCENTED / sizeof *ACCENTED; each++)
    if (ACCENTED[each].from == code) return ACCENTED[each].to;
  return code;
}

/** Punctuation, symbols and pictures beyond the letters of alphabets. */
static bool is_sign(uint32_t code) {
  return within(code, 0x2000, 0x2bff) || within(code, 0x2e00, 0x2e7f) || within(code, 0x3000, 0x303f) ||
         within(code, 0xe000, 0xf8ff) || within(code, 0xfe00, 0xfe6f) || within(code, 0xff00, 0xff20) ||
         within(code, 0xff3b, 0xff40) || within(code, 0xff5b, 0xff65) || within(code, 0xfff0, 0xffff) ||
         within(code, 0x1f000, 0x1faff) || code >= 0xe0000;
}

/** The letter or digit that a code point stands for, as it is compared; 0 for what is neither. */
static uint32_t fold(uint32_t code) {
  if (within(code, 'A', 'Z')) return code + 0x20;
  if (code < 0x80) return within(code, 'a', 'z') || within(code, '0', '9') ? code : 0;
  if (code < 0xc0) return code == 0xaa ? 'a' : code == 0xba ? 'o' : code == 0xb5 ? 0x3bc : 0;
  if (code < 0x180) return fold_latin(code);
  if (within(code, 0x370, 0x3ff)) return fold_greek(code);
  if (within(code, 0x400, 0x52f)) return fold_cyrillic(code);
  // Wide forms of what ASCII has.
  if (within(code, 0xff10, 0xff19) || within(code, 0xff21, 0xff3a) || within(code, 0xff41, 0xff5a))
    return fold(code - 0xfee0);
  return is_sign(code) ? 0 : code;
}

/** Marks that stand on the letter before them. */
static bool is_mark(uint32_t code) { return within(code, 0x300, 0x36f); }

/** Scripts that put no spaces between words: each sign is a word. */
static bool is_ideograph(uint32_t code) {
  return within(code, 0x3040, 0x30ff) || within(code, 0x3400, 0x9fff) || within(code, 0xf900, 0xfaff) ||
         within(code, 0x20000, 0x3ffff);
}

static void add_code(word *to, uint32_t code) {
  uint8_t bytes[4];
  buffer made = {bytes, 0, sizeof bytes};
  put_utf8(&made, code);
  if (to->folded_len + made.len > MAX_WORD_BYTES) return;
  memcpy(to->folded + to->folded_len, bytes, made.len);
  to->folded_len += made.len;
}

/** й may be written as и and a mark, which is no accent. */
static void add_mark(word *to, uint32_t mark) {
  if (mark != 0x306 || to->folded_len < RU_LETTER) return;
  char *last = to->folded + to->folded_len - RU_LETTER;
  if (ru_is_letter(last, "и")) memcpy(last, "й", RU_LETTER);
}

static bool is_english(const word *of) {
  for (size_t at = 0; at < of->folded_len; at++)
    if (!within((uint8_t)of->folded[at], 'a', 'z') && of->folded[at] != '\'') return false;
  return true;
}

/** Letters from а to я, in UTF-8. */
static bool is_russian(const word *of) {
  if (of->folded_len % RU_LETTER != 0) return false;
  for (size_t at = 0; at < of->folded_len; at += RU_LETTER) {
    const uint32_t pair = (uint32_t)(uint8_t)of->folded[at] << 8 | (uint8_t)of->folded[at + 1];
    if (!within(pair, 0xd0b0, 0xd0bf) && !within(pair, 0xd180, 0xd18f)) return false;
  }
  return true;
}

static void find_stem(word *of) {
  memcpy(of->stem, of->folded, of->folded_len);
  if (is_english(of)) of->stem_len = stem_english(of->stem, of->folded_len);
  else if (is_russian(of)) of->stem_len = stem_russian(of->stem, of->folded_len);
  else of->stem_len = of->folded_len;
}

/** An apostrophe between Latin letters belongs to the word: `don't`. */
static bool is_apostrophe(const word *so_far, uint32_t code, reader behind) {
  if (code != '\'' && code != 0x2019) return false;
  if (so_far->folded_len == 0 || !within((uint8_t)so_far->folded[so_far->folded_len - 1], 'a', 'z')) return false;
  return behind.at < behind.end && within(fold(take_code(&behind)), 'a', 'z');
}

/** The next word of the text; false at its end. */
static bool next_word(reader *text, word *found) {
  found->folded_len = 0;
  const uint8_t *from = text->at;
  const uint8_t *to = text->at;
  while (text->at < text->end) {
    const uint8_t *const before = text->at;
    const uint32_t code = take_code(text);
    const uint32_t letter = fold(code);
    const bool inside = found->folded_len > 0;
    if (is_mark(code)) {
      if (inside) add_mark(found, code);
    } else if (is_apostrophe(found, code, *text)) {
      add_code(found, '\'');
    } else if (letter == 0 || (inside && is_ideograph(code))) {
      if (!inside) continue;
      if (letter != 0) text->at = before;
      break;
    } else {
      if (!inside) from = before;
      add_code(found, letter);
    }
    to = text->at;
    if (found->folded_len > 0 && is_ideograph(code)) break;
  }
  if (found->folded_len == 0) return false;
  found->written = (neira_string){(const char *)from, (size_t)(to - from)};
  find_stem(found);
  return true;
}

static reader reader_of(neira_string text) {
  return (reader){(const uint8_t *)text.ptr, (const uint8_t *)text.ptr + text.len};
}
#endif
