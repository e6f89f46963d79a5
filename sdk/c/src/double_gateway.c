/* Natively: what is around the exchanges of a test: the time, other servers, state, lines. */
#ifndef __wasm__
#include "../gatehouse_test.h"
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static arena gateway_arena;
typedef struct value {
    struct value *next;
    const char *bucket, *key;
    gh_bytes bytes;
} value;
static struct {
    uint64_t now, random;
    gh_http_response (*server)(const gh_http_request *);
    const char *log, *output, *sent;
    value *values;
} gateway = {.now = 1750000000, .random = 1, .log = "", .output = "", .sent = ""};

/* What must live with the gateway rather than with the call. */
#define KEPT(expression) (gh_current_arena = &gateway_arena, result = (expression), gh_current_arena = before, result)

static const char *keep(const char *text) {
    arena *before = gh_current_arena;
    const char *result;
    return KEPT(gh_copy(text, strlen(text)));
}

static const char *line_added(const char *lines, const char *line) {
    arena *before = gh_current_arena;
    const char *result;
    return KEPT(gh_format("%s%s\n", lines, line));
}

void gh_test_gateway(void) {
    gh_arena_reset(&gateway_arena);
    memset(&gateway, 0, sizeof gateway);
    gateway.now = 1750000000;
    gateway.random = 1;
    gateway.log = gateway.output = gateway.sent = "";
}

void gh_test_at(uint64_t seconds) {
    gateway.now = seconds;
}

void gh_test_server(gh_http_response (*answer)(const gh_http_request *)) {
    gateway.server = answer;
}

const char *gh_test_sent(void) {
    return gateway.sent;
}

const char *gh_test_log(void) {
    return gateway.log;
}

const char *gh_test_output(void) {
    return gateway.output;
}

void gh_log(gh_log_level level, const char *format, ...) {
    static const char *const levels[] = {"trace", "debug", "info", "warn", "error"};
    char line[8192];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    gateway.log = line_added(gateway.log, gh_format("%s: %s", levels[level], line));
}

uint64_t gh_now(void) {
    return gateway.now * 1000;
}

/* Knuth's MMIX generator: tests repeat. */
uint64_t gh_random_number(void) {
    return gateway.random = gateway.random * 6364136223846793005u + 1442695040888963407u;
}

gh_bytes gh_random(size_t length) {
    uint8_t *bytes = gh_alloc(length + 1);
    for (size_t i = 0; i < length; i++) bytes[i] = (uint8_t)(gh_random_number() >> 56);
    return (gh_bytes){bytes, length};
}

bool gh_write_line(const char *line) {
    gateway.output = line_added(gateway.output, line);
    return true;
}

gh_http_response gh_http_send(const gh_http_request *request) {
    url_parts parts;
    const char *wrong = gh_url_split(request->url, &parts);
    gh_bytes bytes;
    for (const gh_field *it = request->headers; !wrong && it && it->name; it++) {
        if (!gh_narrow(it->value, &bytes)) wrong = gh_format("%s: a character is above U+00FF", it->name);
    }
    if (wrong) return (gh_http_response){.error = wrong};
    const char *method = request->method ? request->method : "GET";
    gateway.sent = line_added(gateway.sent, gh_format("%s %s", method, request->url));
    if (gateway.server) return gateway.server(request);
    return (gh_http_response){.error = gh_format("nothing answers %s", request->url)};
}

static value *entry_of(const char *bucket, const char *key) {
    value *it = gateway.values;
    while (it && (strcmp(it->bucket, bucket) || strcmp(it->key, key))) it = it->next;
    return it;
}

const char *gh_kv_get(const char *bucket, const char *key, gh_bytes *bytes) {
    const value *it = entry_of(bucket, key);
    *bytes = it ? it->bytes : (gh_bytes){0};
    return NULL;
}

const char *gh_kv_set(const char *bucket, const char *key, gh_bytes bytes) {
    value *it = entry_of(bucket, key);
    if (!it) {
        it = gh_arena_alloc(&gateway_arena, sizeof *it);
        *it = (value){gateway.values, keep(bucket), keep(key), {0}};
        gateway.values = it;
    }
    arena *before = gh_current_arena;
    const char *result;
    it->bytes = (gh_bytes){(const uint8_t *)KEPT(gh_copy(bytes.data, bytes.length)), bytes.length};
    return NULL;
}

const char *gh_kv_delete(const char *bucket, const char *key) {
    value *it = entry_of(bucket, key), **link = &gateway.values;
    while (it && *link != it) link = &(*link)->next;
    if (it) *link = it->next;
    return NULL;
}

const char *gh_kv_keys(const char *bucket, const char *const **keys) {
    size_t count = 0;
    for (const value *it = gateway.values; it; it = it->next) count++;
    const char **found = gh_alloc((count + 1) * sizeof *found);
    *keys = found;
    for (const value *it = gateway.values; it; it = it->next) {
        if (!strcmp(it->bucket, bucket)) *found++ = it->key;
    }
    return NULL;
}

const char *gh_kv_increment(const char *bucket, const char *key, int64_t delta, int64_t *sum) {
    const value *it = entry_of(bucket, key);
    char *end = "";
    long long old = it ? strtoll((const char *)it->bytes.data, &end, 10) : 0;
    if (*end || (it && !it->bytes.length)) return "key-value store: not a number";
    const char *text = gh_format("%lld", old + (long long)delta);
    if (sum) *sum = old + delta;
    return gh_kv_set(bucket, key, gh_bytes_of(text));
}

#endif
