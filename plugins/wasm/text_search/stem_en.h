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

static bool en_vowel(char letter) {
  return letter == 'a' || letter == 'e' || letter == 'i' || letter == 'o' || letter == 'u' || letter == 'y';
}

static bool en_has(const english *word, ending suffix) { return has_ending(word->at, word->len, &suffix); }

#define en_ends(word, suffix) en_has(word, (ending)ENDING(suffix))

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
  static const ending PREFIXES[] = {ENDING("gener"), ENDING("commun"), ENDING("arsen")};
  word->r1 = en_region(word, 0);
  for (size_t each = 0; each < 3; each++) {
    const size_t len = PREFIXES[each].len;
    if (word->len >= len && memcmp(word->at, PREFIXES[each].text, len) == 0) word->r1 = len;
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
  ending suffix;
  const char *with;
} en_rule;

#define RULE(suffix, with) {ENDING(suffix), with}
#define NO_RULE {NO_ENDING, ""}

/** The first rule whose suffix the word has: longer suffixes stand before those that they end in. */
static const en_rule *en_find(const english *word, const en_rule *rules) {
  for (; rules->suffix.len > 0; rules++)
    if (has_ending(word->at, word->len, &rules->suffix)) return rules;
  return NULL;
}

/** Whether the last `len` letters lie in a region. */
static bool en_in(const english *word, size_t len, size_t region) { return word->len - len >= region; }

static bool en_is_rule(const en_rule *rule, const char *suffix) { return strcmp(rule->suffix.text, suffix) == 0; }

static void en_step0(english *word) {
  static const en_rule RULES[] = {RULE("'s'", ""), RULE("'s", ""), RULE("'", ""), NO_RULE};
  const en_rule *rule = en_find(word, RULES);
  if (rule) en_replace(word, rule->suffix.len, "");
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
  static const en_rule RULES[] = {RULE("eedly", ""), RULE("ingly", ""), RULE("edly", ""), RULE("eed", ""), RULE("ing", ""), RULE("ed", ""), NO_RULE};
  const en_rule *rule = en_find(word, RULES);
  if (!rule) return;
  const size_t len = rule->suffix.len;
  if (memcmp(rule->suffix.text, "eed", 3) == 0) {
    if (en_in(word, len, word->r1)) en_replace(word, len, "ee");
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
      RULE("ational", "ate"), RULE("fulness", "ful"), RULE("iveness", "ive"), RULE("ization", "ize"), RULE("ousness", "ous"),
      RULE("biliti", "ble"),  RULE("lessli", "less"), RULE("tional", "tion"), RULE("alism", "al"),    RULE("aliti", "al"),
      RULE("ation", "ate"),   RULE("entli", "ent"),   RULE("fulli", "ful"),   RULE("iviti", "ive"),   RULE("ousli", "ous"),
      RULE("abli", "able"),   RULE("alli", "al"),     RULE("anci", "ance"),   RULE("ator", "ate"),    RULE("enci", "ence"),
      RULE("izer", "ize"),    RULE("bli", "ble"),     RULE("ogi", "og"),      RULE("li", ""),         NO_RULE};
  const en_rule *rule = en_find(word, RULES);
  if (!rule || !en_in(word, rule->suffix.len, word->r1)) return;
  const size_t len = rule->suffix.len;
  const char before = word->len > len ? word->at[word->len - len - 1] : 0;
  if (en_is_rule(rule, "ogi") && before != 'l') return;
  if (en_is_rule(rule, "li") && (before == 0 || strchr("cdeghkmnrt", before) == NULL)) return;
  en_replace(word, len, rule->with);
}

static void en_step3(english *word) {
  static const en_rule RULES[] = {RULE("ational", "ate"), RULE("tional", "tion"), RULE("alize", "al"), RULE("icate", "ic"), RULE("iciti", "ic"),
                                  RULE("ative", ""),      RULE("ical", "ic"),     RULE("ness", ""),    RULE("ful", ""),     NO_RULE};
  const en_rule *rule = en_find(word, RULES);
  if (!rule || !en_in(word, rule->suffix.len, word->r1)) return;
  if (en_is_rule(rule, "ative") && !en_in(word, rule->suffix.len, word->r2)) return;
  en_replace(word, rule->suffix.len, rule->with);
}

static void en_step4(english *word) {
  static const en_rule RULES[] = {RULE("ement", ""), RULE("ance", ""), RULE("ence", ""), RULE("able", ""), RULE("ible", ""), RULE("ment", ""),
                                  RULE("ant", ""),   RULE("ent", ""),  RULE("ism", ""),  RULE("ate", ""),  RULE("iti", ""),  RULE("ous", ""),
                                  RULE("ive", ""),   RULE("ize", ""),  RULE("ion", ""),  RULE("al", ""),   RULE("er", ""),   RULE("ic", ""),
                                  NO_RULE};
  const en_rule *rule = en_find(word, RULES);
  if (!rule || !en_in(word, rule->suffix.len, word->r2)) return;
  const size_t len = rule->suffix.len;
  if (en_is_rule(rule, "ion")) {
    const char before = word->len > len ? word->at[word->len - len - 1] : 0;
    if (before != 's' && before != 't') return;
  }
  en_replace(word, len, "");
}

static void en_step5(english *word) {
  if (en_ends(word, "e")) {
    const bool in_r1 = en_in(word, 1, word->r1) && !en_short_syllable(word, word->len - 1);
    if (en_in(word, 1, word->r2) || in_r1) word->len--;
  } else if (en_ends(word, "ll") && en_in(word, 1, word->r2)) {
    word->len--;
  }
}

/** Words that the rules would get wrong, each with its stem. */
static const en_rule EN_WHOLE[] = {
    RULE("skis", "ski"),   RULE("skies", "sky"),  RULE("dying", "die"),   RULE("lying", "lie"),     RULE("tying", "tie"),   RULE("idly", "idl"),
    RULE("gently", "gentl"), RULE("ugly", "ugli"), RULE("early", "earli"), RULE("only", "onli"),     RULE("singly", "singl"), RULE("sky", "sky"),
    RULE("news", "news"),  RULE("howe", "howe"),  RULE("atlas", "atlas"), RULE("cosmos", "cosmos"), RULE("bias", "bias"),   RULE("andes", "andes"),
    NO_RULE};
/** Words that are finished once their plural is gone. */
static const ending EN_DONE[] = {ENDING("inning"),  ENDING("outing"), ENDING("canning"), ENDING("herring"), ENDING("earring"),
                                 ENDING("proceed"), ENDING("exceed"), ENDING("succeed"), NO_ENDING};

static bool en_is(const english *word, ending other) { return word->len == other.len && en_has(word, other); }

static void en_mark_consonants(english *word) {
  for (size_t at = 0; at < word->len; at++)
    if (word->at[at] == 'y' && (at == 0 || en_vowel(word->at[at - 1]))) word->at[at] = 'Y';
}

static void en_steps(english *word) {
  en_step0(word);
  en_step1a(word);
  for (size_t each = 0; EN_DONE[each].len > 0; each++)
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
  for (const en_rule *rule = EN_WHOLE; rule->suffix.len > 0; rule++) {
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
