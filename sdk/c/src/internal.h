/* What the parts of the library share. Names that reach the linker begin with gh_: the others are the plugin's. */
#ifndef GATEHOUSE_INTERNAL_H
#define GATEHOUSE_INTERNAL_H

#include "../gatehouse.h"

#define REPLACEMENT "\xEF\xBF\xBD"

/* Memory that is let go of all at once. */
typedef struct {
    struct chunk *chunks;
    bool ended; /* The call is over: what is there goes with the next allocation, since the gateway still reads the answer. */
} arena;

void *gh_arena_alloc(arena *from, size_t size);
void gh_arena_reset(arena *it);

/* Where gh_alloc takes from: `gh_init_arena` until `init` is over, then `gh_call_arena`. */
extern arena gh_init_arena, gh_call_arena;
extern arena *gh_current_arena;

/* A copy of bytes with a NUL after them. */
char *gh_copy(const void *bytes, size_t length);

/* A string from outside: the byte after it is NUL already, one within becomes U+FFFD. */
const char *gh_incoming(uint8_t *bytes, size_t length);

/* The length of the UTF-8 sequence at a place, 0 when it is none. */
size_t gh_sequence(const uint8_t *at, size_t left);

typedef enum { ERROR, ALLOW, DENY, ABSTAIN, EDIT, REPLY, REPLACE } answer_kind;
typedef enum { SET, APPEND, REMOVE } edit_kind;

/* A change to headers, or an attribute. */
typedef struct entry {
    struct entry *next;
    edit_kind kind;
    gh_field field;
} entry;

typedef struct {
    entry *first, *last;
    size_t count;
} entries;

/* NULL and 0 are what was not given. */
struct gh_answer {
    answer_kind kind;
    int status;
    const char *error, *principal, *reason, *method, *path, *query;
    entries headers, attributes;
    gh_bytes body;
    bool has_body, has_max_age;
    uint32_t max_age;
};

/* What an answer may be in a hook. */
typedef enum { IN_VERDICT, IN_REQUEST, IN_REQUEST_BODY, IN_RESPONSE, IN_RESPONSE_BODY, IN_CHUNK, IN_RESULT } place;

/* The error of an answer that is one or does not fit there; NULL when it fits. */
const char *gh_misfit(const struct gh_answer *answer, place where);

/* Parts of a URL. */
typedef struct {
    bool https;
    const char *authority, *path; /* The path with the query. */
} url_parts;

/* Takes a URL apart; what is wrong with it, or NULL. */
const char *gh_url_split(const char *url, url_parts *parts);

/* Isomorphic encoding: characters to bytes (false: one is above U+00FF), and bytes to characters. */
bool gh_narrow(const char *text, gh_bytes *bytes);
const char *gh_widen(const uint8_t *bytes, size_t length);

#endif
