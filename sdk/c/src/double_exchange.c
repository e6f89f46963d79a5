/* Natively: the exchange that a test sets up, and its reads in the place of a component's imports. */
#ifndef __wasm__
#include "../gatehouse_test.h"
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct named {
    struct named *next;
    const char *name, *value;
} named;

static struct {
    bool begun;
    const char *method, *path, *query, *authority, *client_ip, *route, *verdict, *failure;
    named *headers, *response_headers, *path_params, *attributes, *reads;
    int status;
    uint64_t started, duration, request_bytes, response_bytes;
    int64_t upstream;
    bool cached;
} exchange;

static void die(const char *what) {
    fprintf(stderr, "gatehouse_test: %s\n", what);
    abort();
}

const char *gh_test_init(const char *config) {
    const char *why;
    gh_current_arena = &gh_init_arena;
    gh_json value = gh_json_parse(gh_bytes_of(gh_copy(config, strlen(config))), &why);
    const char *error = gh_misfit(value ? init(value) : gh_error("the configuration: %s", why), IN_RESULT);
    gh_current_arena = &gh_call_arena;
    return error;
}

void gh_test_request(const char *method, const char *target) {
    gh_current_arena = &gh_call_arena;
    gh_arena_reset(&gh_call_arena);
    memset(&exchange, 0, sizeof exchange);
    const char *mark = strchr(target, '?');
    exchange.begun = true;
    exchange.method = gh_copy(method, strlen(method));
    exchange.path = gh_copy(target, mark ? (size_t)(mark - target) : strlen(target));
    exchange.query = mark ? gh_copy(mark + 1, strlen(mark + 1)) : NULL;
    exchange.authority = "localhost";
    exchange.client_ip = "127.0.0.1";
    exchange.route = "route";
    exchange.started = 1750000000000;
    exchange.upstream = -1;
}

static const char *own(const char *text) {
    if (!exchange.begun) die("gh_test_request comes first");
    return gh_copy(text, strlen(text));
}

static void append(named **list, const char *name, const char *value) {
    named *it = gh_alloc(sizeof *it);
    *it = (named){NULL, own(name), own(value)};
    while (*list) list = &(*list)->next;
    *list = it;
}

/* A name as headers are read: in lower case. */
static const char *lower(const char *name) {
    char *result = gh_copy(name, strlen(name));
    for (char *at = result; *at; at++) *at |= *at >= 'A' && *at <= 'Z' ? 0x20 : 0;
    return result;
}

void gh_test_header(const char *name, const char *value) {
    append(&exchange.headers, lower(name), value);
}

void gh_test_response_header(const char *name, const char *value) {
    append(&exchange.response_headers, lower(name), value);
}

void gh_test_path_param(const char *name, const char *value) {
    append(&exchange.path_params, name, value);
}

void gh_test_attribute(const char *name, const char *value) {
    append(&exchange.attributes, name, value);
}

void gh_test_client_ip(const char *address) {
    exchange.client_ip = own(address);
}

void gh_test_authority(const char *host) {
    exchange.authority = own(host);
}

void gh_test_route(const char *name) {
    exchange.route = own(name);
}

void gh_test_status(int status) {
    exchange.status = status;
}

void gh_test_started(uint64_t seconds) {
    exchange.started = seconds * 1000;
}

void gh_test_took(uint64_t microseconds, int64_t upstream) {
    exchange.duration = microseconds;
    exchange.upstream = upstream;
}

void gh_test_bytes(uint64_t request, uint64_t response) {
    exchange.request_bytes = request;
    exchange.response_bytes = response;
}

void gh_test_verdict(const char *verdict, bool cached) {
    exchange.verdict = own(verdict);
    exchange.cached = cached;
}

void gh_test_failure(const char *code) {
    exchange.failure = own(code);
}

/* Notes a read in its place in the sorted list. */
static void read_of(const char *what, const char *name) {
    const char *read = name ? gh_format("%s:%s", what, name) : what;
    named **list = &exchange.reads;
    if (!exchange.begun) die("the request was read outside of an exchange: gh_test_request comes first");
    while (*list && strcmp((*list)->name, read) < 0) list = &(*list)->next;
    if (*list && !strcmp((*list)->name, read)) return;
    named *it = gh_alloc(sizeof *it);
    *it = (named){*list, gh_copy(read, strlen(read)), NULL};
    *list = it;
}

const char *gh_test_reads(void) {
    const char *all = "";
    for (named *it = exchange.reads; it; it = it->next) all = gh_format("%s%s%s", all, *all ? " " : "", it->name);
    return all;
}

/* The values of a name, in their order, with NULL at the end. */
static const char *const *values(const named *list, const char *name) {
    size_t count = 0;
    for (const named *it = list; it; it = it->next) count++;
    const char **found = gh_alloc((count + 1) * sizeof *found), **end = found;
    for (const named *it = list; it; it = it->next) {
        if (!strcasecmp(it->name, name)) *end++ = it->value;
    }
    return found;
}

static const char *joined(const named *list, const char *name) {
    const char *const *all = values(list, name);
    return *all ? gh_join(all, strcasecmp(name, "cookie") ? ", " : "; ") : NULL;
}

static const gh_field *fields(const named *list) {
    size_t count = 0;
    for (const named *it = list; it; it = it->next) count++;
    gh_field *all = gh_alloc((count + 1) * sizeof *all), *end = all;
    for (const named *it = list; it; it = it->next) *end++ = (gh_field){it->name, it->value};
    return all;
}

#define READ(function, what, result) \
    const char *function(void) { \
        read_of(what, NULL); \
        return result; \
    }

READ(gh_method, "method", exchange.method)
READ(gh_path, "path", exchange.path)
READ(gh_query, "query", exchange.query)
READ(gh_scheme, "scheme", "http")
READ(gh_authority, "authority", exchange.authority)
READ(gh_protocol, "protocol", "HTTP/1.1")
READ(gh_client_ip, "client-ip", exchange.client_ip)
READ(gh_route, "route", exchange.route)
READ(gh_id, "id", "0123456789abcdef")

static int digit(int c) {
    return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

static const char *decoded(const char *at, size_t length) {
    uint8_t *bytes = gh_alloc(length + 1);
    size_t count = 0;
    for (size_t i = 0; i < length; i++) {
        bool escape = at[i] == '%' && i + 2 < length && digit(at[i + 1]) >= 0 && digit(at[i + 2]) >= 0;
        bytes[count++] = escape ? (uint8_t)(digit(at[i + 1]) * 16 + digit(at[i + 2])) : at[i] == '+' ? ' ' : (uint8_t)at[i];
        if (escape) i += 2;
    }
    return gh_text((gh_bytes){bytes, count});
}

static const char *const *params(const char *name) {
    named *found = NULL;
    for (const char *at = exchange.query; at;) {
        size_t length = strcspn(at, "&"), key = strcspn(at, "=&");
        const char *value = key < length ? decoded(at + key + 1, length - key - 1) : "";
        if (!strcmp(decoded(at, key), name)) append(&found, name, value);
        at = at[length] ? at + length + 1 : NULL;
    }
    return values(found, name);
}

const char *gh_query_param(const char *name) {
    read_of("query-param", name);
    return *params(name);
}

const char *const *gh_query_params(const char *name) {
    read_of("query-params", name);
    return params(name);
}

static const char *exact(const named *list, const char *name) {
    const char *found = NULL;
    for (; list; list = list->next) found = strcmp(list->name, name) ? found : list->value;
    return found;
}

const char *gh_path_param(const char *name) {
    read_of("path-param", name);
    return exact(exchange.path_params, name);
}

const char *gh_header(const char *name) {
    read_of("header", lower(name));
    return joined(exchange.headers, name);
}

const char *const *gh_header_values(const char *name) {
    read_of("header-values", lower(name));
    return values(exchange.headers, name);
}

const gh_field *gh_headers(void) {
    read_of("headers", NULL);
    return fields(exchange.headers);
}

const char *gh_cookie(const char *name) {
    read_of("cookie", name);
    const char *all = joined(exchange.headers, "cookie");
    for (size_t length; all && *all; all += length) {
        all += strspn(all, "; ");
        length = strcspn(all, ";");
        if (!strncmp(all, name, strlen(name)) && all[strlen(name)] == '=') {
            return gh_copy(all + strlen(name) + 1, length - strlen(name) - 1);
        }
    }
    return NULL;
}

const char *gh_attribute(const char *name) {
    read_of("attribute", name);
    return exact(exchange.attributes, name);
}

const gh_field *gh_attributes(void) {
    read_of("attributes", NULL);
    return fields(exchange.attributes);
}

int gh_response_status(void) {
    return exchange.status;
}

const char *gh_response_header(const char *name) {
    return joined(exchange.response_headers, name);
}

const char *const *gh_response_header_values(const char *name) {
    return values(exchange.response_headers, name);
}

const gh_field *gh_response_headers(void) {
    return fields(exchange.response_headers);
}

uint64_t gh_started(void) {
    return exchange.started;
}

uint64_t gh_duration(void) {
    return exchange.duration;
}

int64_t gh_upstream_duration(void) {
    return exchange.upstream;
}

uint64_t gh_request_bytes(void) {
    return exchange.request_bytes;
}

uint64_t gh_response_bytes(void) {
    return exchange.response_bytes;
}

const char *gh_outcome_verdict(void) {
    return exchange.verdict;
}

bool gh_verdict_cached(void) {
    return exchange.cached;
}

const char *gh_failure(void) {
    return exchange.failure;
}

#endif
