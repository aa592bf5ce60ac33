/**
 * The stem of an English word, by the rules of the algorithm known as Porter 2 (Snowball, "English"): its published
 * description, written anew.
 */
#ifndef STEM_EN_H
#define STEM_EN_H
#include "bytes.h"

/** A word in small letters and apostrophes, changed in place; a `Y` is a y that is no vowel. */
typedef struct {
  char *at;
  size_t len;
  /** Where the regions R1 and R2 begin. */
  size_t r1;
  size_t r2;
} english;

static bool en_vowel(char letter) { return letter != 0 && strchr("aeiouy", letter) != NULL; }

static bool en_ends(const english *word, const char *suffix) {
  const size_t len = strlen(suffix);
  return word->len >= len && memcmp(word->at + word->len - len, suffix, len) == 0;
}

static bool en_has_vowel(const english *word, size_t len) {
  for (size_t at = 0; at < len; at++)
    if (en_vowel(word->at[at])) return true;
  return false;
}

/** Puts `with` in the place of the last `len` letters; it is never longer than what was there and one more. */
static void en_replace(english *word, size_t len, const char *with) {
  const size_t added = strlen(with);
  memcpy(word->at + word->len - len, with, added);
  word->len = word->len - len + added;
}

/** Behind the first consonant that follows a vowel. */
static size_t en_region(const english *word, size_t from) {
  for (size_t at = from + 1; at < word->len; at++)
    if (!en_vowel(word->at[at]) && en_vowel(word->at[at - 1])) return at + 1;
  return word->len;
}

static void en_mark_regions(english *word) {
  static const char *const PREFIXES[] = {"gener", "commun", "arsen"};
  word->r1 = en_region(word, 0);
  for (size_t each = 0; each < 3; each++) {
    const size_t len = strlen(PREFIXES[each]);
    if (word->len >= len && memcmp(word->at, PREFIXES[each], len) == 0) word->r1 = len;
  }
  word->r2 = en_region(word, word->r1);
}

/** Whether the part of `len` letters ends in a short syllable. */
static bool en_short_syllable(const english *word, size_t len) {
  const char *at = word->at;
  if (len == 2) return en_vowel(at[0]) && !en_vowel(at[1]);
  if (len < 3 || strchr("wxY", at[len - 1]) != NULL) return false;
  return !en_vowel(at[len - 1]) && en_vowel(at[len - 2]) && !en_vowel(at[len - 3]);
}

static bool en_short_word(const english *word) { return word->r1 >= word->len && en_short_syllable(word, word->len); }

typedef struct {
  const char *suffix;
  const char *with;
} en_rule;

/** The first rule whose suffix the word has: longer suffixes stand before those that they end in. */
static const en_rule *en_find(const english *word, const en_rule *rules) {
  for (; rules->suffix; rules++)
    if (en_ends(word, rules->suffix)) return rules;
  return NULL;
}

static bool en_in(const english *word, const char *suffix, size_t region) {
  return word->len - strlen(suffix) >= region;
}

static void en_step0(english *word) {
  static const en_rule RULES[] = {{"'s'", ""}, {"'s", ""}, {"'", ""}, {NULL, NULL}};
  const en_rule *rule = en_find(word, RULES);
  if (rule) en_replace(word, strlen(rule->suffix), "");
}

static void en_step1a(english *word) {
  if (en_ends(word, "sses")) {
    en_replace(word, 2, "");
  } else if (en_ends(word, "ied") || en_ends(word, "ies")) {
    en_replace(word, 3, word->len > 4 ? "i" : "ie");
  } else if (en_ends(word, "s") && !en_ends(word, "us") && !en_ends(word, "ss")) {
    if (word->len > 2 && en_has_vowel(word, word->len - 2)) en_replace(word, 1, "");
  }
}

static bool en_doubled(const english *word) {
  static const char DOUBLES[] = "bdfgmnprt";
  if (word->len < 2) return false;
  const char last = word->at[word->len - 1];
  return last == word->at[word->len - 2] && strchr(DOUBLES, last) != NULL;
}

static void en_step1b(english *word) {
  static const en_rule RULES[] = {{"eedly", ""}, {"ingly", ""}, {"edly", ""}, {"eed", ""}, {"ing", ""}, {"ed", ""}, {NULL, NULL}};
  const en_rule *rule = en_find(word, RULES);
  if (!rule) return;
  const size_t len = strlen(rule->suffix);
  if (memcmp(rule->suffix, "eed", 3) == 0) {
    if (en_in(word, rule->suffix, word->r1)) en_replace(word, len, "ee");
    return;
  }
  if (!en_has_vowel(word, word->len - len)) return;
  en_replace(word, len, "");
  if (en_ends(word, "at") || en_ends(word, "bl") || en_ends(word, "iz")) en_replace(word, 0, "e");
  else if (en_doubled(word)) word->len--;
  else if (en_short_word(word)) en_replace(word, 0, "e");
}

static void en_step1c(english *word) {
  if (word->len > 2 && (en_ends(word, "y") || en_ends(word, "Y")) && !en_vowel(word->at[word->len - 2]))
    en_replace(word, 1, "i");
}

static void en_step2(english *word) {
  static const en_rule RULES[] = {
      {"ational", "ate"}, {"fulness", "ful"}, {"iveness", "ive"}, {"ization", "ize"}, {"ousness", "ous"},
      {"biliti", "ble"},  {"lessli", "less"}, {"tional", "tion"}, {"alism", "al"},    {"aliti", "al"},
      {"ation", "ate"},   {"entli", "ent"},   {"fulli", "ful"},   {"iviti", "ive"},   {"ousli", "ous"},
      {"abli", "able"},   {"alli", "al"},     {"anci", "ance"},   {"ator", "ate"},    {"enci", "ence"},
      {"izer", "ize"},    {"bli", "ble"},     {"ogi", "og"},      {"li", ""},         {NULL, NULL}};
  const en_rule *rule = en_find(word, RULES);
  if (!rule || !en_in(word, rule->suffix, word->r1)) return;
  const size_t len = strlen(rule->suffix);
  const char before = word->len > len ? word->at[word->len - len - 1] : 0;
  if (strcmp(rule->suffix, "ogi") == 0 && before != 'l') return;
  if (strcmp(rule->suffix, "li") == 0 && (before == 0 || strchr("cdeghkmnrt", before) == NULL)) return;
  en_replace(word, len, rule->with);
}

static void en_step3(english *word) {
  static const en_rule RULES[] = {{"ational", "ate"}, {"tional", "tion"}, {"alize", "al"}, {"icate", "ic"}, {"iciti", "ic"},
                                  {"ative", ""},      {"ical", "ic"},     {"ness", ""},    {"ful", ""},     {NULL, NULL}};
  const en_rule *rule = en_find(word, RULES);
  if (!rule || !en_in(word, rule->suffix, word->r1)) return;
  if (strcmp(rule->suffix, "ative") == 0 && !en_in(word, rule->suffix, word->r2)) return;
  en_replace(word, strlen(rule->suffix), rule->with);
}

static void en_step4(english *word) {
  static const en_rule RULES[] = {{"ement", ""}, {"ance", ""}, {"ence", ""}, {"able", ""}, {"ible", ""}, {"ment", ""},
                                  {"ant", ""},   {"ent", ""},  {"ism", ""},  {"ate", ""},  {"iti", ""},  {"ous", ""},
                                  {"ive", ""},   {"ize", ""},  {"ion", ""},  {"al", ""},   {"er", ""},   {"ic", ""},
                                  {NULL, NULL}};
  const en_rule *rule = en_find(word, RULES);
  if (!rule || !en_in(word, rule->suffix, word->r2)) return;
  const size_t len = strlen(rule->suffix);
  if (strcmp(rule->suffix, "ion") == 0) {
    const char before = word->len > len ? word->at[word->len - len - 1] : 0;
    if (before != 's' && before != 't') return;
  }
  en_replace(word, len, "");
}

static void en_step5(english *word) {
  if (en_ends(word, "e")) {
    const bool in_r1 = en_in(word, "e", word->r1) && !en_short_syllable(word, word->len - 1);
    if (en_in(word, "e", word->r2) || in_r1) word->len--;
  } else if (en_ends(word, "ll") && en_in(word, "l", word->r2)) {
    word->len--;
  }
}

/** Words that the rules would get wrong, each with its stem. */
static const en_rule EN_WHOLE[] = {
    {"skis", "ski"},   {"skies", "sky"},  {"dying", "die"},   {"lying", "lie"},     {"tying", "tie"},   {"idly", "idl"},
    {"gently", "gentl"}, {"ugly", "ugli"}, {"early", "earli"}, {"only", "onli"},     {"singly", "singl"}, {"sky", "sky"},
    {"news", "news"},  {"howe", "howe"},  {"atlas", "atlas"}, {"cosmos", "cosmos"}, {"bias", "bias"},   {"andes", "andes"},
    {NULL, NULL}};
/** Words that are finished once their plural is gone. */
static const char *const EN_DONE[] = {"inning",  "outing",  "canning", "herring", "earring",
                                      "proceed", "exceed", "succeed", NULL};

static bool en_is(const english *word, const char *other) {
  return word->len == strlen(other) && memcmp(word->at, other, word->len) == 0;
}

static void en_mark_consonants(english *word) {
  for (size_t at = 0; at < word->len; at++)
    if (word->at[at] == 'y' && (at == 0 || en_vowel(word->at[at - 1]))) word->at[at] = 'Y';
}

static void en_steps(english *word) {
  en_step0(word);
  en_step1a(word);
  for (size_t each = 0; EN_DONE[each]; each++)
    if (en_is(word, EN_DONE[each])) return;
  en_step1b(word);
  en_step1c(word);
  en_step2(word);
  en_step3(word);
  en_step4(word);
  en_step5(word);
}

/** Answers the length of the stem, which lies at `letters`; there must be room for one letter more. */
static size_t stem_english(char *letters, size_t len) {
  english word = {letters, len, 0, 0};
  if (len <= 2) return len;
  for (const en_rule *rule = EN_WHOLE; rule->suffix; rule++) {
    if (!en_is(&word, rule->suffix)) continue;
    en_replace(&word, word.len, rule->with);
    return word.len;
  }
  en_mark_consonants(&word);
  en_mark_regions(&word);
  en_steps(&word);
  for (size_t at = 0; at < word.len; at++)
    if (letters[at] == 'Y') letters[at] = 'y';
  return word.len;
}
#endif
