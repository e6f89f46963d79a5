/* Plugins for the Gatehouse API gateway, in C or C++.
 *
 * A plugin defines the hooks that its `plugin.toml` names (the prototypes are below) and returns from each what is to be done.
 *
 * Strings are UTF-8 and end with NUL; NULL is "there is none". Nothing is freed: what a function of this header returns, and
 * what `gh_alloc` gives, lives until the hook that asked for it has returned; in `init`, as long as the instance. What must
 * live longer is copied with `strdup` or `malloc`. A NUL within a string (a client may send `%00`) is read as U+FFFD, so that a
 * string is never cut short. Strings that are returned must be UTF-8: see `gh_text`.
 */
#ifndef GATEHOUSE_H
#define GATEHOUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define GH_PRINTF(text, rest) __attribute__((format(printf, text, rest)))
#else
#define GH_PRINTF(text, rest)
#endif

#if defined(__wasm__) && !defined(GH_ASK_HTTP)
#define GH_HTTP __attribute__((unavailable("plugin.toml has to say: asks = [\"http\"]")))
#else
#define GH_HTTP
#endif
#if defined(__wasm__) && !defined(GH_ASK_KEYVALUE)
#define GH_KEYVALUE __attribute__((unavailable("plugin.toml has to say: asks = [\"keyvalue\"]")))
#else
#define GH_KEYVALUE
#endif
#if defined(__wasm__) && !defined(GH_ASK_OUTPUT)
#define GH_OUTPUT __attribute__((unavailable("plugin.toml has to say: asks = [\"output\"]")))
#else
#define GH_OUTPUT
#endif

/* Bytes that need not be text. One more byte, NUL, follows those that this library gives. */
typedef struct {
    const uint8_t *data;
    size_t length;
} gh_bytes;

/* A header field or an attribute. Lists of them end with one whose name is NULL.
 *
 * A header's value is in isomorphic encoding: a byte 0xNN on the wire is the character U+00NN, so plain text is itself. */
typedef struct {
    const char *name;
    const char *value;
} gh_field;

/* A value of JSON. NULL is the absent one: every function takes it. */
typedef const struct gh_json_value *gh_json;

/* What a hook returns: made by the functions under "Answers". The names say which of them fit. */
typedef struct gh_answer *gh_result;  /* NULL: all is well, gh_error */
typedef struct gh_answer *gh_verdict; /* gh_allow, gh_deny, gh_abstain, gh_error */
typedef struct gh_answer *gh_action;  /* NULL: unchanged, gh_edit, gh_reply, gh_error; for chunks gh_replace, gh_reply */

/* ---- Hooks: what a plugin defines ---- */

/* Takes the configuration, once in each instance, before any other hook. An error refuses it; its text is shown to the operator.
 * Without this function any key is refused. */
gh_result init(gh_json config);

/* Decides whether a request may pass. What it reads of the request is the key under which the gateway keeps the verdict: read
 * what the decision needs, and no more. */
gh_verdict authorize(void);

/* Sees the header section of a request, after the authorizers. */
gh_action on_request(void);

/* How many bytes of this request's body the plugin wants to see: a longer one is refused with 413. GH_NO_BODY leaves the body
 * alone. Without this function it is GH_WHOLE_BODY: what the operator's `limits.body` allows. */
int64_t request_body_limit(void);
#define GH_NO_BODY (-1)
#define GH_WHOLE_BODY INT64_MAX

/* Sees a whole request body, empty when there is none. */
gh_action on_request_body(gh_bytes body);

/* Sees each piece of a request body in order, and once `last`, then possibly with an empty piece. The instance stays with the
 * request until then: globals may keep state between pieces. */
gh_action on_request_chunk(gh_bytes chunk, bool last);

/* Sees the header section of a response that an upstream or a filter made. */
gh_action on_response(void);

/* As request_body_limit; a longer body is a 502. */
int64_t response_body_limit(void);

/* Sees a whole response body. */
gh_action on_response_body(gh_bytes body);

/* Sees each piece of a response body, as on_request_chunk. */
gh_action on_response_chunk(gh_bytes chunk, bool last);

/* Is told of an exchange that has ended (the hook `logger`). An error drops this line and is counted. */
gh_result on_log(void);

/* ---- Reads of the request ---- */

const char *gh_method(void);
/* In canonical form, without the query: the very string that routes are matched against. */
const char *gh_path(void);
/* As sent, without the `?`. */
const char *gh_query(void);
/* Of a query parameter the first value, or all of them with NULL at the end; decoded. */
const char *gh_query_param(const char *name);
const char *const *gh_query_params(const char *name);
/* What the route's path template caught: for `/pets/{id}`, gh_path_param("id"). */
const char *gh_path_param(const char *name);
const char *gh_scheme(void);
/* The host, and port if any, that the client asked for, in lower case. */
const char *gh_authority(void);
/* `HTTP/1.1` or `HTTP/2.0`. */
const char *gh_protocol(void);
/* The value of a header; of several with that name all values, joined by `, `. */
const char *gh_header(const char *name);
/* The values of all headers with that name, NULL at the end. */
const char *const *gh_header_values(const char *name);
/* All headers. For an authorizer this makes every header part of the key. */
const gh_field *gh_headers(void);
const char *gh_cookie(const char *name);
/* The token of `Authorization: Bearer TOKEN`. */
const char *gh_bearer(void);
/* The client's address without the port. */
const char *gh_client_ip(void);
const char *gh_route(void);
/* Differs in every request: an authorizer that reads it gets no caching. */
const char *gh_id(void);

/* An attribute by its full name: `auth.principal`, `PLUGIN.name`. No client and no upstream can set one. */
const char *gh_attribute(const char *name);
const gh_field *gh_attributes(void);

/* ---- Reads of the response: in response hooks and in on_log ---- */

int gh_response_status(void);
const char *gh_response_header(const char *name);
const char *const *gh_response_header_values(const char *name);
const gh_field *gh_response_headers(void);

/* ---- What has become of the exchange: for on_log ---- */

/* When the request's header section had arrived, in milliseconds since 1970-01-01T00:00:00Z. */
uint64_t gh_started(void);
/* From then to the last byte of the answer, in microseconds. */
uint64_t gh_duration(void);
/* From the request's leaving for the upstream to its answer's header section, in microseconds; -1 without one. */
int64_t gh_upstream_duration(void);
uint64_t gh_request_bytes(void);
uint64_t gh_response_bytes(void);
/* `allow` or `deny`; NULL without an authorizer. */
const char *gh_outcome_verdict(void);
bool gh_verdict_cached(void);
/* The code of the failure that ended the exchange; NULL when all went well. */
const char *gh_failure(void);

/* ---- Answers ---- */

/* A fault of the plugin, told to the log and never to the client. */
gh_result gh_error(const char *format, ...) GH_PRINTF(1, 2);

/* The request may pass: as that principal, or as nobody in particular (NULL). */
gh_verdict gh_allow(const char *principal);
/* It may not; the client gets this status, 400 to 599. */
gh_verdict gh_deny(int status);
/* "Not my scheme": the next authorizer of the route is asked. */
gh_verdict gh_abstain(void);

/* Changes to a request or response; none yet. */
gh_action gh_edit(void);
/* An answer for the client in the place of what was coming, with this status, 200 to 599. */
gh_action gh_reply(int status);
/* Other bytes in the place of a chunk; none hold it back. */
gh_action gh_replace(gh_bytes bytes);

/* What follows adds to an answer and returns it. Where it does not fit (a path to a response), the hook ends with an error
 * that says so. */

/* Replaces all headers of that name, adds one after them, removes them. In a denial and a reply they are those of the answer,
 * in the other answers those that go on. */
struct gh_answer *gh_set_header(struct gh_answer *answer, const char *name, const char *value);
struct gh_answer *gh_append_header(struct gh_answer *answer, const char *name, const char *value);
struct gh_answer *gh_remove_header(struct gh_answer *answer, const char *name);
/* Names are letters, digits, `_`, `-` and `.`; an authorizer's get the prefix `auth.`, a filter's its plugin's name and a dot. */
struct gh_answer *gh_set_attribute(struct gh_answer *answer, const char *name, const char *value);
/* For how many seconds a verdict holds for a request with the same values in everything that was read; 0: not at all. Without
 * it the operator's default holds, unless the decision also used the clock, randomness, the network or key-value state. */
struct gh_answer *gh_set_max_age(struct gh_answer *answer, uint32_t seconds);
/* Why a denial is one: for the log, never for the client. */
struct gh_answer *gh_set_reason(struct gh_answer *answer, const char *reason);
struct gh_answer *gh_set_method(struct gh_answer *answer, const char *method);
struct gh_answer *gh_set_path(struct gh_answer *answer, const char *path);
/* Without the `?`; the empty string removes it. */
struct gh_answer *gh_set_query(struct gh_answer *answer, const char *query);
struct gh_answer *gh_set_status(struct gh_answer *answer, int status);
/* The body of a denial or reply, or the new one of an edit by a hook that has the body. */
struct gh_answer *gh_set_body(struct gh_answer *answer, gh_bytes body);
/* The same as text or JSON text, with its `content-type`. */
struct gh_answer *gh_set_text(struct gh_answer *answer, const char *text);
struct gh_answer *gh_set_json(struct gh_answer *answer, const char *text);

/* ---- Text and memory ---- */

/* Memory for this call, all zero. There is always enough: an instance that may not grow any more ends. */
void *gh_alloc(size_t size);
/* printf into a new string. */
const char *gh_format(const char *format, ...) GH_PRINTF(1, 2);
/* The strings of a list with NULL at its end, with a separator between them. */
const char *gh_join(const char *const *strings, const char *separator);
/* The bytes of a string. */
gh_bytes gh_bytes_of(const char *text);
/* Bytes as a string; what is not UTF-8 becomes U+FFFD. */
const char *gh_text(gh_bytes bytes);
/* A string as a part of a URL's path or query: all but letters, digits and `-._~` percent-encoded (RFC 3986 section 2). */
const char *gh_percent_encode(const char *text);
/* Whether two secrets are the same, in a time that does not tell where they differ. Never when one is NULL or empty: an absent
 * header must not match a key that someone forgot to configure. */
bool gh_same_secret(const char *a, const char *b);

/* ---- JSON ---- */

/* Reads a value (RFC 8259, at most 64 levels deep). NULL when it is malformed; `error`, unless it is NULL, then says what and
 * where. */
gh_json gh_json_parse(gh_bytes text, const char **error);

typedef enum { GH_ABSENT, GH_NULL, GH_BOOL, GH_NUMBER, GH_STRING, GH_ARRAY, GH_OBJECT } gh_json_kind;
gh_json_kind gh_kind(gh_json value);

/* A member of an object: the last of that name. */
gh_json gh_get(gh_json object, const char *key);
/* Members of an object or items of an array: for (gh_json it = gh_first(all); it; it = gh_next(it)). */
gh_json gh_first(gh_json value);
gh_json gh_next(gh_json item);
/* The name of a member. */
const char *gh_key(gh_json member);

/* NULL unless it is a string; otherwise what is given in its place. */
const char *gh_string(gh_json value);
double gh_number(gh_json value, double otherwise);
bool gh_bool(gh_json value, bool otherwise);

/* Text as a string of JSON, with its quotes: gh_format("{\"error\":%s}", gh_quote(text)). */
const char *gh_quote(const char *text);

/* A key of the configuration and where its value goes: a const char **, double *, bool * or, for arrays and objects, gh_json *. */
typedef struct {
    const char *key;
    gh_json_kind kind;
    void *place;
    bool required;
} gh_setting;

/* Reads an object by a list of settings that ends with one whose key is NULL. Absent ones leave their place as it is. An error
 * for a key that is not in the list, one that is missing, and a value of another kind: it names the key. */
gh_result gh_settings(gh_json config, const gh_setting *settings);

/* ---- Around the exchange ---- */

typedef enum { GH_LOG_TRACE, GH_LOG_DEBUG, GH_LOG_INFO, GH_LOG_WARN, GH_LOG_ERROR } gh_log_level;
/* Writes a line to the gateway's log; it carries the plugin's name and the request's id. */
void gh_log(gh_log_level level, const char *format, ...) GH_PRINTF(2, 3);

/* Milliseconds since 1970-01-01T00:00:00Z. */
uint64_t gh_now(void);
/* Cryptographically secure. */
gh_bytes gh_random(size_t length);
uint64_t gh_random_number(void);

/* Writes a line to the place that the operator chose; false when it could not keep up and the line was dropped. */
GH_OUTPUT bool gh_write_line(const char *line);

/* A request to another server. What is 0 or NULL has its default. */
typedef struct {
    const char *method; /* GET */
    const char *url;
    const gh_field *headers;
    gh_bytes body;
    uint32_t timeout; /* Milliseconds for the connection, for the answer's headers, and between bytes of its body. */
    size_t limit;     /* The longest body of an answer that is taken; 1 MiB. */
} gh_http_request;

typedef struct {
    const char *error; /* Why no answer came; NULL when one did, of whatever status. */
    int status;
    const gh_field *headers; /* Names in lower case. */
    gh_bytes body;
} gh_http_response;

/* Sends it and waits for the answer; meanwhile the gateway serves other requests with other instances. */
GH_HTTP gh_http_response gh_http_send(const gh_http_request *request);
GH_HTTP gh_http_response gh_http_get(const char *url);

/* State that the instances of a plugin share, in buckets by name. Each returns NULL, or what went wrong. */
/* `value->data` is NULL when the key is absent. */
GH_KEYVALUE const char *gh_kv_get(const char *bucket, const char *key, gh_bytes *value);
GH_KEYVALUE const char *gh_kv_set(const char *bucket, const char *key, gh_bytes value);
GH_KEYVALUE const char *gh_kv_delete(const char *bucket, const char *key);
/* All keys, NULL at the end. */
GH_KEYVALUE const char *gh_kv_keys(const char *bucket, const char *const **keys);
/* Adds to a number in one step; an absent key counts as 0. `sum` may be NULL. */
GH_KEYVALUE const char *gh_kv_increment(const char *bucket, const char *key, int64_t delta, int64_t *sum);

#ifdef __cplusplus
}
#endif

#endif
