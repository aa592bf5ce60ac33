// Generated from abi/wit/v1 by `npm run gen`. Do not edit.
/**
 * The host functions of Neira for plugins in C: C11, no other header than those of the compiler.
 *
 * Define NEIRA_PLUGIN in one file before this is included, and write there
 *
 *     bool neira_handle(neira_string input, neira_string *answer);
 *
 * `input` is the envelope, a JSON text. Set `*answer` and return true: it is the reply, a JSON text. Return false:
 * it is an error text, the turn fails and nothing of it is kept; a text that is the code of a refusal lets that
 * refusal through. With NEIRA_PREPARE defined as well, write `bool neira_prepare(neira_string *error);`.
 *
 * Host functions answer true, or false with a `refusal`. Where an answer or a refusal is not wanted, pass NULL; an
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

/** A JSON text (RFC 8259). Scripts see the value itself, components see the text. */
typedef neira_string neira_json;

/** Why a host function refused: a code of the error catalogue and its details. */
typedef struct {
  neira_string code;
  neira_string message;
  neira_json details;
} neira_refusal;

/**
 * A stored value with the version that it had when it was read. Versions start at 1; what the turn itself
 * staged reads as version 0, because only the commit gives it one.
 */
typedef struct {
  neira_string key;
  neira_json value;
  uint64_t version;
} neira_entry;

typedef struct { bool is_some; neira_string value; } neira_option_string;
typedef struct { bool is_some; uint32_t value; } neira_option_uint32;
typedef struct { bool is_some; bool value; } neira_option_bool;
/** Which page of a listing is wanted. */
typedef struct {
  /** Begin behind this key: above it, in reverse below it. */
  neira_option_string after;
  /** How many entries at most: up to 1000, 100 without it. */
  neira_option_uint32 limit;
  /** From the highest key down. */
  neira_option_bool reverse;
} neira_list_options;

/** A stroke or another mark that belongs to one session of one chat. */
typedef struct {
  /** Ids match `[\p{L}\p{N}_.-]{1,128}` and are not only dots. */
  neira_string chat_id;
  neira_string session_id;
  /** What the mark is, for example `stroke`. */
  neira_string kind;
  neira_json data;
} neira_annotation;

typedef struct { bool is_some; neira_json value; } neira_option_json;
/** A message of a session, found by the same search and export as annotations. */
typedef struct {
  neira_string chat_id;
  neira_string session_id;
  neira_string role;
  neira_string text;
  neira_option_json data;
} neira_message;

typedef struct { bool is_some; uint64_t value; } neira_option_uint64;
/** Which page of what was saved is wanted. */
typedef struct {
  /** Begin behind this number; with the first without it. */
  neira_option_uint64 after;
  /** How many records at most: up to 1000, 100 without it. */
  neira_option_uint32 limit;
  /** Without their `line`: a page holds more of them, and they are read faster. */
  neira_option_bool text_only;
} neira_record_options;

/** An annotation or a message as it was saved. */
typedef struct {
  /** Rises in the order in which records were committed, from 1, perhaps with gaps. */
  uint64_t number;
  /** `annotation` or `message`. */
  neira_string type;
  neira_string id;
  /** Who saved it. */
  neira_string plugin;
  neira_string chat_id;
  neira_string session_id;
  /** What a search looks at: the text of a message, the kind and all texts of an annotation; up to 4096 characters. */
  neira_string text;
  /** All of it, as it stands in its file; none with `text_only`. */
  neira_option_json line;
} neira_chat_record;

typedef struct {
  /** Major version of the event; 1 without it. */
  neira_option_uint32 version;
  /** RFC 3339, minutes to years ahead: the event is published then, and can be cancelled until then. */
  neira_option_string at;
  /** Another event of this plugin with the same name and key is dropped for a day. */
  neira_option_string idempotency_key;
  /** An object of texts; they lie in the envelope's headers. */
  neira_option_json headers;
  /** To every subscriber, also to each of a queue group. */
  neira_option_bool broadcast;
} neira_publish_options;

/** When a message leaves. */
typedef struct {
  /** RFC 3339, minutes to years ahead: it leaves then, and can be taken back until then. */
  neira_option_string at;
} neira_send_options;

/** How a command is sent. */
typedef struct {
  /** Major version of the command, 1 without it. */
  neira_option_uint32 version;
  /** Longest time to wait for the result; after it nothing of the command is kept. */
  neira_option_uint32 timeout_ms;
} neira_request_options;

/** How a command is sent whose result comes as an event. */
typedef struct {
  /** Major version of the command, 1 without it. */
  neira_option_uint32 version;
  /** Longest time until the result, up to 30 days; 10 minutes without it. */
  neira_option_uint32 timeout_ms;
  /** The answer is a delivery of this key: those of one key come in order, whatever path of theirs it was found by. */
  neira_option_string key;
  /** Comes back with the answer; up to 4 KB. */
  neira_option_json context;
  /** An object of texts; they lie in the envelope's headers. */
  neira_option_json headers;
  /** Lies in the header `idempotency_key`, so that whoever handles the command can tell that it came before. */
  neira_option_string idempotency_key;
} neira_ask_options;

/** What a plugin wants to hear. Subjects are dotted: `*` stands for one part, `>` at the end for the rest. */
typedef struct {
  neira_string name;
  /** `nlp.intent.>`, `ui.notify@1`: without a version every one. */
  neira_string event;
  /** CEL over `event`, the envelope: `event.payload.city == "Berlin"`. */
  neira_option_string filter;
  /** RFC 9535 singular path into the envelope: deliveries of one key come in order. */
  neira_option_string key;
  /** Of all subscriptions with the same group one gets the event. */
  neira_option_string group;
} neira_subscription;

typedef struct { neira_string *ptr; size_t len; } neira_list_string;
/** How an event came to this turn. */
typedef struct {
  /** 1 for the first. */
  uint32_t attempt;
  /** Names of the subscriptions that it matched; those of the manifest are named like their event. */
  neira_list_string subscriptions;
} neira_delivery_info;

/** On whose behalf a plugin acts, as it registers it. */
typedef struct {
  /** Unique within the plugin: `[a-z0-9][\w.:-]{0,127}`. */
  neira_string id;
  /** For administrators, up to 200 characters. */
  neira_string title;
  /** Of the shape of `permissions` in a manifest; nothing without it. */
  neira_option_json permissions;
  /** Of its definition, so that an administrator can tell what was granted to which. */
  neira_option_string digest;
} neira_principal;

/** An object whose values are texts. */
typedef neira_json neira_texts;

/**
 * An object of values, each a text, a number, true or false, a secret `{secret: name}`, or a list of these, which
 * are joined without anything between them: `['Bearer ', {secret: 'weather.api_key'}]`.
 */
typedef neira_json neira_http_values;

/**
 * What to do with an answer that redirects. `follow`: at most five times, each as if it had been asked for: its
 * host, path and address have to be allowed too. `manual`: it is the answer. `error`: it is refused.
 */
typedef uint8_t neira_redirect_mode;
enum { NEIRA_REDIRECT_MODE_FOLLOW, NEIRA_REDIRECT_MODE_MANUAL, NEIRA_REDIRECT_MODE_ERROR };

typedef struct { bool is_some; neira_http_values value; } neira_option_http_values;
typedef struct { bool is_some; neira_redirect_mode value; } neira_option_redirect_mode;
/**
 * An HTTP request. Secrets are named, in `query`, `headers` and anywhere inside `json`; the host fills them in on the
 * way out, and masks them in what comes back.
 */
typedef struct {
  /** `GET`, `HEAD`, `OPTIONS`, `POST`, `PUT`, `PATCH` or `DELETE`; `GET` without it. */
  neira_option_string method;
  /** `https://api.example.org/v1/now?city=Riga`, without user name, password and fragment. */
  neira_string url;
  /** Put behind the query of `url`. */
  neira_option_http_values query;
  /** At most 64. Those that say how a message is carried (Host, Content-Length, Connection, …) are the host's. */
  neira_option_http_values headers;
  /**
   * The body as a text, as bytes in Base64, or as a JSON value; one of the three, at most 1 MB. Safe methods have none.
   * In the JSON an object of nothing but `secret` is taken for the name of one.
   */
  neira_option_string body;
  neira_option_string body_base64;
  neira_option_json json;
  /** Longest time for all of it, redirects included; `limits.wait_ms` without it, and never more. */
  neira_option_uint32 timeout_ms;
  neira_option_redirect_mode redirect;
} neira_http_request;

/** The answer to an HTTP request, whatever its status. */
typedef struct {
  uint16_t status;
  /** Where it came from, after redirects, without its query. */
  neira_string url;
  /** By names in lower case. What came more than once is joined with `, `, cookies with a new line. */
  neira_texts headers;
  /** The body, decompressed: a text where it is UTF-8, else bytes in Base64. An empty one is the empty text. */
  neira_option_string body;
  neira_option_string body_base64;
} neira_http_response;

typedef uint8_t neira_level;
enum { NEIRA_LEVEL_DEBUG, NEIRA_LEVEL_INFO, NEIRA_LEVEL_WARN, NEIRA_LEVEL_ERROR };

typedef struct { bool is_some; neira_entry value; } neira_option_entry;

typedef struct { neira_entry *ptr; size_t len; } neira_list_entry;

typedef struct { neira_chat_record *ptr; size_t len; } neira_list_chat_record;

__attribute__((import_module("neira:host/storage@1.0.0"), import_name("get")))
void neira_import_storage_get(const char *, size_t, void *);

/**
 * The value under `key`: committed state plus what this turn staged.
 * Needs `storage: [read]`.
 */
static inline bool neira_storage_get(neira_string key, neira_option_entry *answer, neira_refusal *refusal) {
  struct { uint8_t is_err; union { neira_option_entry ok; neira_refusal err; } as; } result;
  neira_import_storage_get(key.ptr, key.len, &result);
  if (result.is_err) { if (refusal) *refusal = result.as.err; return false; }
  if (answer) *answer = result.as.ok;
  return true;
}

__attribute__((import_module("neira:host/storage@1.0.0"), import_name("set")))
void neira_import_storage_set(const char *, size_t, const char *, size_t, int32_t, int64_t, void *);

/**
 * Stages `value` under `key`, replacing what was there. With `if_version` the key must be at that
 * version now (0: must not exist), else NEIRA_VERSION_MISMATCH and nothing is staged.
 * Needs `storage: [write]`. Refuses with NEIRA_VALUE_TOO_LARGE, NEIRA_VALUE_INVALID.
 */
static inline bool neira_storage_set(neira_string key, neira_json value, const uint64_t *if_version, neira_refusal *refusal) {
  struct { bool is_some; uint64_t value; } given_if_version = {0};
  if (if_version) { given_if_version.is_some = true; given_if_version.value = *if_version; }
  struct { uint8_t is_err; union { neira_refusal err; } as; } result;
  neira_import_storage_set(key.ptr, key.len, value.ptr, value.len, given_if_version.is_some, given_if_version.value, &result);
  if (result.is_err) { if (refusal) *refusal = result.as.err; return false; }
  return true;
}

__attribute__((import_module("neira:host/storage@1.0.0"), import_name("delete")))
void neira_import_storage_delete(const char *, size_t, void *);

/** Stages the removal of `key`; removing what is not there is no error. Needs `storage: [write]`. */
static inline bool neira_storage_delete(neira_string key, neira_refusal *refusal) {
  struct { uint8_t is_err; union { neira_refusal err; } as; } result;
  neira_import_storage_delete(key.ptr, key.len, &result);
  if (result.is_err) { if (refusal) *refusal = result.as.err; return false; }
  return true;
}

__attribute__((import_module("neira:host/storage@1.0.0"), import_name("add")))
void neira_import_storage_add(const char *, size_t, double, void *);

/**
 * Stages the addition of `n`, a finite number, to the number under `key`; a key that is not there counts as 0.
 * Blind: additions of two turns do not conflict, however many are in flight. A value that is not a number,
 * or a sum beyond 2^53 - 1 either way, is NEIRA_ADD_REFUSED: at the call where the turn knows the value
 * already, else when it reads it or commits. Needs `storage: [write]`.
 */
static inline bool neira_storage_add(neira_string key, double n, neira_refusal *refusal) {
  struct { uint8_t is_err; union { neira_refusal err; } as; } result;
  neira_import_storage_add(key.ptr, key.len, n, &result);
  if (result.is_err) { if (refusal) *refusal = result.as.err; return false; }
  return true;
}

__attribute__((import_module("neira:host/storage@1.0.0"), import_name("list")))
void neira_import_storage_list(const char *, size_t, int32_t, int32_t, const char *, size_t, int32_t, int32_t, int32_t, int32_t, void *);

/**
 * A page of the entries whose key starts with `prefix`, ordered by the bytes of the key. It holds at most 1 MB
 * of keys and values, so it may be shorter than `limit`; an empty one is the end. The next page is the one
 * `after` its last key. The turn depends on the part of the range that it saw, and on nothing beyond.
 * Needs `storage: [read]`.
 */
static inline bool neira_storage_list(neira_string prefix, const neira_list_options *options, neira_list_entry *answer, neira_refusal *refusal) {
  struct { bool is_some; neira_list_options value; } given_options = {0};
  if (options) { given_options.is_some = true; given_options.value = *options; }
  struct { uint8_t is_err; union { neira_list_entry ok; neira_refusal err; } as; } result;
  neira_import_storage_list(prefix.ptr, prefix.len, given_options.is_some, given_options.value.after.is_some, given_options.value.after.value.ptr, given_options.value.after.value.len, given_options.value.limit.is_some, given_options.value.limit.value, given_options.value.reverse.is_some, given_options.value.reverse.value, &result);
  if (result.is_err) { if (refusal) *refusal = result.as.err; return false; }
  if (answer) *answer = result.as.ok;
  return true;
}

__attribute__((import_module("neira:host/storage@1.0.0"), import_name("append")))
void neira_import_storage_append(const char *, size_t, const char *, size_t, void *);

/**
 * Stages `value` as the next entry of the log `key`: it gets the key `<key>/<n>`, with n of 16 digits
 * counted from 1 when the turn commits. Blind: appends of two turns do not conflict.
 * Needs `storage: [write]`.
 */
static inline bool neira_storage_append(neira_string key, neira_json value, neira_refusal *refusal) {
  struct { uint8_t is_err; union { neira_refusal err; } as; } result;
  neira_import_storage_append(key.ptr, key.len, value.ptr, value.len, &result);
  if (result.is_err) { if (refusal) *refusal = result.as.err; return false; }
  return true;
}

__attribute__((import_module("neira:host/storage@1.0.0"), import_name("save-annotation")))
void neira_import_storage_save_annotation(const char *, size_t, const char *, size_t, const char *, size_t, const char *, size_t, void *);

/**
 * Stages an annotation and answers its id. It ends as one line of
 * `context/<chat-id>/<session-id>.annotations.ndjson`. Needs `storage: [write]`.
 */
static inline bool neira_storage_save_annotation(const neira_annotation *annotation, neira_string *answer, neira_refusal *refusal) {
  struct { uint8_t is_err; union { neira_string ok; neira_refusal err; } as; } result;
  neira_import_storage_save_annotation((*annotation).chat_id.ptr, (*annotation).chat_id.len, (*annotation).session_id.ptr, (*annotation).session_id.len, (*annotation).kind.ptr, (*annotation).kind.len, (*annotation).data.ptr, (*annotation).data.len, &result);
  if (result.is_err) { if (refusal) *refusal = result.as.err; return false; }
  if (answer) *answer = result.as.ok;
  return true;
}

__attribute__((import_module("neira:host/storage@1.0.0"), import_name("save-message")))
void neira_import_storage_save_message(const char *, size_t, const char *, size_t, const char *, size_t, const char *, size_t, int32_t, const char *, size_t, void *);

/**
 * Stages a message of a chat and answers its id. It ends as one line of
 * `context/<chat-id>/<session-id>.messages.ndjson`. Needs `storage: [write]`.
 */
static inline bool neira_storage_save_message(const neira_message *message, neira_string *answer, neira_refusal *refusal) {
  struct { uint8_t is_err; union { neira_string ok; neira_refusal err; } as; } result;
  neira_import_storage_save_message((*message).chat_id.ptr, (*message).chat_id.len, (*message).session_id.ptr, (*message).session_id.len, (*message).role.ptr, (*message).role.len, (*message).text.ptr, (*message).text.len, (*message).data.is_some, (*message).data.value.ptr, (*message).data.value.len, &result);
  if (result.is_err) { if (refusal) *refusal = result.as.err; return false; }
  if (answer) *answer = result.as.ok;
  return true;
}

__attribute__((import_module("neira:host/storage@1.0.0"), import_name("records")))
void neira_import_storage_records(int32_t, int32_t, int64_t, int32_t, int32_t, int32_t, int32_t, void *);

/**
 * A page of the annotations and messages that any plugin saved, of every chat, in the order in which they were
 * committed; what this turn saved itself is not among them. It holds at most 1 MB of their lines and texts, so it may
 * be shorter than `limit`; an empty one is the end. The next page is the one `after` its last number. What was saved
 * never changes: records that are committed meanwhile do not make the turn run again, the event `record.saved`
 * tells of them. Needs `records: [read]`.
 */
static inline bool neira_storage_records(const neira_record_options *options, neira_list_chat_record *answer, neira_refusal *refusal) {
  struct { bool is_some; neira_record_options value; } given_options = {0};
  if (options) { given_options.is_some = true; given_options.value = *options; }
  struct { uint8_t is_err; union { neira_list_chat_record ok; neira_refusal err; } as; } result;
  neira_import_storage_records(given_options.is_some, given_options.value.after.is_some, given_options.value.after.value, given_options.value.limit.is_some, given_options.value.limit.value, given_options.value.text_only.is_some, given_options.value.text_only.value, &result);
  if (result.is_err) { if (refusal) *refusal = result.as.err; return false; }
  if (answer) *answer = result.as.ok;
  return true;
}

__attribute__((import_module("neira:host/storage@1.0.0"), import_name("settings")))
void neira_import_storage_settings(void *);

/** The plugin's settings as an administrator set them, defaults of the manifest filled in. */
static inline neira_json neira_storage_settings(void) {
  neira_json answer;
  neira_import_storage_settings(&answer);
  return answer;
}

__attribute__((import_module("neira:host/io@1.0.0"), import_name("log")))
void neira_import_io_log(int32_t, const char *, size_t);

/**
 * Writes a line to the plugin's log, within `limits.log_kb` a turn; what is over is dropped and
 * counted. Needs no permission and is kept even when the turn fails.
 */
static inline void neira_io_log(neira_level level, neira_string message) {
  neira_import_io_log(level, message.ptr, message.len);
}

__attribute__((import_module("neira:host/io@1.0.0"), import_name("secret")))
void neira_import_io_secret(const char *, size_t, void *);

/**
 * The clear text of the secret `name`, for what has to be computed with it: a signature, a login. Where a
 * secret is only to be sent, name it as `{secret: "<name>"}` instead, and never hold it. The turn may use the
 * text and not keep it: staging it, sending it, asking with it or answering with it, also encoded, is refused
 * with NEIRA_SECRET_LEAK, and it is masked in what the turn logs and throws.
 * Needs `secrets: [{name: <name>, reveal: true}]`. Refuses with NEIRA_SECRET_MISSING.
 * Waits: scripts get a promise, in a component the call returns with the answer.
 */
static inline bool neira_io_secret(neira_string name, neira_string *answer, neira_refusal *refusal) {
  struct { uint8_t is_err; union { neira_string ok; neira_refusal err; } as; } result;
  neira_import_io_secret(name.ptr, name.len, &result);
  if (result.is_err) { if (refusal) *refusal = result.as.err; return false; }
  if (answer) *answer = result.as.ok;
  return true;
}

__attribute__((import_module("neira:host/io@1.0.0"), import_name("mark-personal")))
void neira_import_io_mark_personal(const char *, size_t, void *);

/**
 * Says that every text inside `value` (from 3 characters on) is personal: a name, a number, an address. It is
 * masked in all that this turn logs or throws and in what is kept of its failure. Where the turn stores or
 * publishes it, the value or the envelope is marked, and whoever reads it there is bound in the same way.
 * Needs no permission.
 */
static inline bool neira_io_mark_personal(neira_json value, neira_refusal *refusal) {
  struct { uint8_t is_err; union { neira_refusal err; } as; } result;
  neira_import_io_mark_personal(value.ptr, value.len, &result);
  if (result.is_err) { if (refusal) *refusal = result.as.err; return false; }
  return true;
}

__attribute__((import_module("neira:host/io@1.0.0"), import_name("send")))
void neira_import_io_send(const char *, size_t, const char *, size_t, const char *, size_t, int32_t, int32_t, const char *, size_t, void *);

/**
 * Stages `payload` for `target` on the port `port` (`console`: the host's own terminal and log).
 * It leaves after the turn committed, or at `options.at`, at least once, in order per target.
 * Answers the id that it will have. Needs `io: {ports: [<port>]}`, when it is staged.
 */
static inline bool neira_io_send(neira_string port, neira_string target, neira_json payload, const neira_send_options *options, neira_string *answer, neira_refusal *refusal) {
  struct { bool is_some; neira_send_options value; } given_options = {0};
  if (options) { given_options.is_some = true; given_options.value = *options; }
  struct { uint8_t is_err; union { neira_string ok; neira_refusal err; } as; } result;
  neira_import_io_send(port.ptr, port.len, target.ptr, target.len, payload.ptr, payload.len, given_options.is_some, given_options.value.at.is_some, given_options.value.at.value.ptr, given_options.value.at.value.len, &result);
  if (result.is_err) { if (refusal) *refusal = result.as.err; return false; }
  if (answer) *answer = result.as.ok;
  return true;
}

__attribute__((import_module("neira:host/io@1.0.0"), import_name("cancel")))
void neira_import_io_cancel(const char *, size_t, void *);

/**
 * Stages that a send with `options.at` is taken back, or one of this turn. One that has left already, or that
 * another plugin staged, is left as it is.
 */
static inline bool neira_io_cancel(neira_string id, neira_refusal *refusal) {
  struct { uint8_t is_err; union { neira_refusal err; } as; } result;
  neira_import_io_cancel(id.ptr, id.len, &result);
  if (result.is_err) { if (refusal) *refusal = result.as.err; return false; }
  return true;
}

__attribute__((import_module("neira:host/io@1.0.0"), import_name("request")))
void neira_import_io_request(const void *, void *);

/**
 * Makes an HTTP request and waits for its answer. It leaves at once, whatever becomes of this turn; once that is
 * settled, what is still under way is given up. Needs a rule of `io: {http: [{host, methods, …}]}` that it falls under.
 * The request is kept before it leaves, and its answer before the plugin sees it: a turn that runs again gets the
 * answer that it got before to the same request (method, address, headers and body; so put nothing in that depends on
 * the time of the turn). Methods that are not safe carry an `Idempotency-Key`, unless one is given in `headers`.
 * When `handle` threw, answers that were network errors or had status 408, 429 or 5xx are forgotten, and asked for anew.
 * NEIRA_OUTCOME_UNKNOWN: it may have been carried out, and nobody knows; it is not sent again by the host unless the
 * host was granted as `idempotent`.
 * Else refuses with NEIRA_PERMISSION_DENIED, NEIRA_ADDRESS_REFUSED, NEIRA_HTTP_FAILED, NEIRA_HTTP_TIMEOUT,
 * NEIRA_REDIRECT_REFUSED, NEIRA_RESPONSE_TOO_LARGE (`limits.response_kb`), NEIRA_RESPONSE_INVALID,
 * NEIRA_REQUESTS_EXCEEDED and NEIRA_REQUEST_RATE (`limits.requests`, `limits.requests_per_minute`),
 * NEIRA_SECRET_DENIED, NEIRA_SECRET_MISSING, and in a dry run NEIRA_DRY_RUN_REQUEST.
 * Waits: scripts get a promise, in a component the call returns with the answer.
 */
static inline bool neira_io_request(const neira_http_request *request, neira_http_response *answer, neira_refusal *refusal) {
  const neira_http_request given = *request;
  struct { uint8_t is_err; union { neira_http_response ok; neira_refusal err; } as; } result;
  neira_import_io_request(&given, &result);
  if (result.is_err) { if (refusal) *refusal = result.as.err; return false; }
  if (answer) *answer = result.as.ok;
  return true;
}

__attribute__((import_module("neira:host/bus@1.0.0"), import_name("publish")))
void neira_import_bus_publish(const void *, void *);

/**
 * Stages an event `namespace.noun.past` for the bus and answers the id that it will have. It goes to its
 * subscribers when the turn commits, or at `options.at`. The event and its version must be named under
 * `publishes` in the manifest and be registered, else NEIRA_UNKNOWN_EVENT; the payload must fit its
 * schema, else NEIRA_EVENT_INVALID. A command goes to one plugin that handles it.
 */
static inline bool neira_bus_publish(neira_string event, neira_json payload, const neira_publish_options *options, neira_string *answer, neira_refusal *refusal) {
  struct { bool is_some; neira_publish_options value; } given_options = {0};
  if (options) { given_options.is_some = true; given_options.value = *options; }
  struct { neira_string event; neira_json payload; struct { bool is_some; neira_publish_options value; } options; } given;
  given.event = event;
  given.payload = payload;
  given.options.is_some = given_options.is_some; given.options.value = given_options.value;
  struct { uint8_t is_err; union { neira_string ok; neira_refusal err; } as; } result;
  neira_import_bus_publish(&given, &result);
  if (result.is_err) { if (refusal) *refusal = result.as.err; return false; }
  if (answer) *answer = result.as.ok;
  return true;
}

__attribute__((import_module("neira:host/bus@1.0.0"), import_name("request")))
void neira_import_bus_request(const char *, size_t, const char *, size_t, int32_t, int32_t, int32_t, int32_t, int32_t, void *);

/**
 * Sends a command `namespace.verb` to the plugin that handles it and waits for its result. The request leaves
 * at once, whatever becomes of this turn; what this turn staged is not visible to the one that answers.
 * Other turns run meanwhile: what is read after the answer is the state of then. At most 16 answers are
 * waited for at a time, together no longer than `limits.wait_ms`. A turn that is tried again gets the answer
 * that it got before.
 * The command and its version must be named under `publishes` in the manifest, else NEIRA_UNKNOWN_EVENT.
 * Refuses with NEIRA_COMMAND_UNHANDLED, NEIRA_REQUEST_CYCLE, NEIRA_DEADLINE, and with what the other turn
 * failed with.
 * Waits: scripts get a promise, in a component the call returns with the answer.
 */
static inline bool neira_bus_request(neira_string command, neira_json payload, const neira_request_options *options, neira_json *answer, neira_refusal *refusal) {
  struct { bool is_some; neira_request_options value; } given_options = {0};
  if (options) { given_options.is_some = true; given_options.value = *options; }
  struct { uint8_t is_err; union { neira_json ok; neira_refusal err; } as; } result;
  neira_import_bus_request(command.ptr, command.len, payload.ptr, payload.len, given_options.is_some, given_options.value.version.is_some, given_options.value.version.value, given_options.value.timeout_ms.is_some, given_options.value.timeout_ms.value, &result);
  if (result.is_err) { if (refusal) *refusal = result.as.err; return false; }
  if (answer) *answer = result.as.ok;
  return true;
}

__attribute__((import_module("neira:host/bus@1.0.0"), import_name("ask")))
void neira_import_bus_ask(const void *, void *);

/**
 * Stages a command, as `publish` does, whose result comes as an event of its own: `command.answered@1`, to this
 * plugin alone and without a subscription. Nothing stands still for it, however long it takes. Answers the id of
 * the command. What it came to comes exactly once, whatever becomes of plugins and host meanwhile: with `ok` and
 * the `result`, or with an `error` – what the other turn failed with for good, NEIRA_COMMAND_UNHANDLED where
 * nobody handles it, NEIRA_DEADLINE when the time is over; then nothing of the command is kept.
 * A principal asks by its own grants; the answer comes to its plugin.
 */
static inline bool neira_bus_ask(neira_string command, neira_json payload, const neira_ask_options *options, neira_string *answer, neira_refusal *refusal) {
  struct { bool is_some; neira_ask_options value; } given_options = {0};
  if (options) { given_options.is_some = true; given_options.value = *options; }
  struct { neira_string command; neira_json payload; struct { bool is_some; neira_ask_options value; } options; } given;
  given.command = command;
  given.payload = payload;
  given.options.is_some = given_options.is_some; given.options.value = given_options.value;
  struct { uint8_t is_err; union { neira_string ok; neira_refusal err; } as; } result;
  neira_import_bus_ask(&given, &result);
  if (result.is_err) { if (refusal) *refusal = result.as.err; return false; }
  if (answer) *answer = result.as.ok;
  return true;
}

__attribute__((import_module("neira:host/bus@1.0.0"), import_name("cancel")))
void neira_import_bus_cancel(const char *, size_t, void *);

/**
 * Stages that an event with `options.at` is taken back, or a command that was asked: one that was not begun is not
 * done, and no answer comes. One that was published already, or that another plugin published, is left as it is.
 */
static inline bool neira_bus_cancel(neira_string id, neira_refusal *refusal) {
  struct { uint8_t is_err; union { neira_refusal err; } as; } result;
  neira_import_bus_cancel(id.ptr, id.len, &result);
  if (result.is_err) { if (refusal) *refusal = result.as.err; return false; }
  return true;
}

__attribute__((import_module("neira:host/bus@1.0.0"), import_name("subscribe")))
void neira_import_bus_subscribe(const char *, size_t, const char *, size_t, int32_t, const char *, size_t, int32_t, const char *, size_t, int32_t, const char *, size_t, void *);

/**
 * Stages a durable subscription, in force from the commit on; one of the same name is replaced.
 * Its event must lie within the patterns of `permissions.bus.subscribe`, asked and granted.
 */
static inline bool neira_bus_subscribe(const neira_subscription *subscription, neira_refusal *refusal) {
  struct { uint8_t is_err; union { neira_refusal err; } as; } result;
  neira_import_bus_subscribe((*subscription).name.ptr, (*subscription).name.len, (*subscription).event.ptr, (*subscription).event.len, (*subscription).filter.is_some, (*subscription).filter.value.ptr, (*subscription).filter.value.len, (*subscription).key.is_some, (*subscription).key.value.ptr, (*subscription).key.value.len, (*subscription).group.is_some, (*subscription).group.value.ptr, (*subscription).group.value.len, &result);
  if (result.is_err) { if (refusal) *refusal = result.as.err; return false; }
  return true;
}

__attribute__((import_module("neira:host/bus@1.0.0"), import_name("unsubscribe")))
void neira_import_bus_unsubscribe(const char *, size_t, void *);

/** Stages the end of a subscription of this plugin; what it brought already still comes. */
static inline bool neira_bus_unsubscribe(neira_string name, neira_refusal *refusal) {
  struct { uint8_t is_err; union { neira_refusal err; } as; } result;
  neira_import_bus_unsubscribe(name.ptr, name.len, &result);
  if (result.is_err) { if (refusal) *refusal = result.as.err; return false; }
  return true;
}

__attribute__((import_module("neira:host/bus@1.0.0"), import_name("delivery")))
void neira_import_bus_delivery(void *);

/** How this event came here. */
static inline neira_delivery_info neira_bus_delivery(void) {
  neira_delivery_info answer;
  neira_import_bus_delivery(&answer);
  return answer;
}

__attribute__((import_module("neira:host/principals@1.0.0"), import_name("register")))
void neira_import_principals_register(const char *, size_t, const char *, size_t, int32_t, const char *, size_t, int32_t, const char *, size_t, void *);

/**
 * Stages that there is this principal, with nothing granted. One of the same id is replaced: it keeps what it was
 * granted as far as it still asks for it. At most `limits.principals` at a time, else NEIRA_TOO_MANY.
 */
static inline bool neira_principals_register(const neira_principal *principal, neira_refusal *refusal) {
  struct { uint8_t is_err; union { neira_refusal err; } as; } result;
  neira_import_principals_register((*principal).id.ptr, (*principal).id.len, (*principal).title.ptr, (*principal).title.len, (*principal).permissions.is_some, (*principal).permissions.value.ptr, (*principal).permissions.value.len, (*principal).digest.is_some, (*principal).digest.value.ptr, (*principal).digest.value.len, &result);
  if (result.is_err) { if (refusal) *refusal = result.as.err; return false; }
  return true;
}

__attribute__((import_module("neira:host/principals@1.0.0"), import_name("remove")))
void neira_import_principals_remove(const char *, size_t, void *);

/**
 * Stages the end of a principal, of its keys, its subscriptions and what it published for later. One that is not
 * there is no error.
 */
static inline bool neira_principals_remove(neira_string id, neira_refusal *refusal) {
  struct { uint8_t is_err; union { neira_refusal err; } as; } result;
  neira_import_principals_remove(id.ptr, id.len, &result);
  if (result.is_err) { if (refusal) *refusal = result.as.err; return false; }
  return true;
}

__attribute__((import_module("neira:host/principals@1.0.0"), import_name("granted")))
void neira_import_principals_granted(const char *, size_t, void *);

/**
 * Names of what an administrator granted to a principal of what it asks for, as consent shows them:
 * `bus.publish:ui.notify`. One that is not registered is NEIRA_PRINCIPAL_UNKNOWN. When it changes, the host's
 * event `plugin.principal_granted@1` tells.
 */
static inline bool neira_principals_granted(neira_string id, neira_list_string *answer, neira_refusal *refusal) {
  struct { uint8_t is_err; union { neira_list_string ok; neira_refusal err; } as; } result;
  neira_import_principals_granted(id.ptr, id.len, &result);
  if (result.is_err) { if (refusal) *refusal = result.as.err; return false; }
  if (answer) *answer = result.as.ok;
  return true;
}

__attribute__((import_module("neira:host/principals@1.0.0"), import_name("act-as")))
void neira_import_principals_act_as(int32_t, const char *, size_t, void *);

/**
 * Host functions that are called from here on are called by this principal, without one by the plugin itself
 * again; so is every call in a new turn. An async function belongs to whoever called it, whoever acts when its
 * answer comes. One that is not registered is NEIRA_PRINCIPAL_UNKNOWN, and nothing changes.
 */
static inline bool neira_principals_act_as(const neira_string *principal, neira_refusal *refusal) {
  struct { bool is_some; neira_string value; } given_principal = {0};
  if (principal) { given_principal.is_some = true; given_principal.value = *principal; }
  struct { uint8_t is_err; union { neira_refusal err; } as; } result;
  neira_import_principals_act_as(given_principal.is_some, given_principal.value.ptr, given_principal.value.len, &result);
  if (result.is_err) { if (refusal) *refusal = result.as.err; return false; }
  return true;
}

__attribute__((import_module("neira:host/timer@1.0.0"), import_name("sleep")))
void neira_import_timer_sleep(int32_t, void *);

/**
 * Waits so many milliseconds, at most 2147483647; other turns run meanwhile, and the turn's time goes on to
 * then. It counts against `limits.wait_ms`, and among the 16 answers that a turn may wait for at a time. A
 * dry run does not wait. `setTimeout` and `setInterval` of scripts stand on it: what they have left to do when
 * `handle` has answered is not done.
 * Waits: scripts get a promise, in a component the call returns with the answer.
 */
static inline bool neira_timer_sleep(uint32_t ms, neira_refusal *refusal) {
  struct { uint8_t is_err; union { neira_refusal err; } as; } result;
  neira_import_timer_sleep(ms, &result);
  if (result.is_err) { if (refusal) *refusal = result.as.err; return false; }
  return true;
}

__attribute__((import_module("neira:host/intl@1.0.0"), import_name("call")))
void neira_import_intl_call(const char *, size_t, const char *, size_t, const char *, size_t, const char *, size_t, const char *, size_t, void *);

/**
 * Calls `method` of a `service` – `DateTimeFormat`, `NumberFormat`, `PluralRules`, `Collator`, `ListFormat`,
 * `RelativeTimeFormat`, `DisplayNames`, `Segmenter` – made with `locales`, an array, and `options`, an object, and
 * answers what it answers. `input` is the array of its arguments: times in milliseconds since 1970; a number
 * that JSON has not is `{"number": "NaN"}` or `{"bigint": "1"}`. Beside the methods of the standard there is `rank` of
 * `Collator`: it takes texts and answers the place of each among them. `String` has `toLocaleUpperCase` and
 * `toLocaleLowerCase`, `Intl` has `getCanonicalLocales` and `supportedValuesOf`.
 * Needs no permission, may be called at any time and does not count among `limits.host_calls`: what it costs is
 * counted against `limits.cpu_ms`. Refuses with NEIRA_VALUE_TOO_LARGE and NEIRA_VALUE_INVALID, whose details
 * name the `error` of the standard, `RangeError` or `TypeError`.
 */
static inline bool neira_intl_call(neira_string service, neira_string method, neira_json locales, neira_json options, neira_json input, neira_json *answer, neira_refusal *refusal) {
  struct { uint8_t is_err; union { neira_json ok; neira_refusal err; } as; } result;
  neira_import_intl_call(service.ptr, service.len, method.ptr, method.len, locales.ptr, locales.len, options.ptr, options.len, input.ptr, input.len, &result);
  if (result.is_err) { if (refusal) *refusal = result.as.err; return false; }
  if (answer) *answer = result.as.ok;
  return true;
}

#ifdef NEIRA_PLUGIN
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
