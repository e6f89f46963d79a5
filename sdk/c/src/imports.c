/* In a component: reads, log, clock, randomness and output, each a call of the gateway. */
#ifdef __wasm__
#include "component.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The gateway puts a string's bytes where this says, and no more: the byte after them stays the NUL that C wants. */
__attribute__((export_name("cabi_realloc")))
void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size);
void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size) {
    (void)align; /* At most 8; arenas give 16. */
    char *bytes = gh_arena_alloc(gh_current_arena, size + 1);
    if (old_size) memcpy(bytes, old, old_size < size ? old_size : size);
    bytes[size] = 0;
    return bytes;
}

/* The adapter to WASI keeps what it allocates for good. */
__attribute__((export_name("cabi_realloc_adapter")))
void *cabi_realloc_adapter(void *old, size_t old_size, size_t align, size_t size);
void *cabi_realloc_adapter(void *old, size_t old_size, size_t align, size_t size) {
    (void)old_size;
    (void)align;
    return realloc(old, size);
}

plugin_string_t gh_outgoing(const char *text) {
    return (plugin_string_t){(uint8_t *)text, text ? strlen(text) : 0};
}

static const char *text(plugin_string_t from) {
    return gh_incoming(from.ptr, from.len);
}

static const char *const *list(plugin_list_string_t from) {
    const char **strings = gh_alloc((from.len + 1) * sizeof *strings);
    for (size_t i = 0; i < from.len; i++) strings[i] = text(from.ptr[i]);
    return strings;
}

/* Header fields and attributes have one form. */
static const gh_field *fields(const gatehouse_plugin_types_header_t *from, size_t length) {
    gh_field *fields = gh_alloc((length + 1) * sizeof *fields);
    for (size_t i = 0; i < length; i++) fields[i] = (gh_field){text(from[i].name), text(from[i].value)};
    return fields;
}

#define READ(function, import) \
    const char *function(void) { \
        plugin_string_t value; \
        import(&value); \
        return text(value); \
    }
#define READ_OPTION(function, import) \
    const char *function(void) { \
        plugin_string_t value; \
        return import(&value) ? text(value) : NULL; \
    }
#define READ_NAMED(function, import) \
    const char *function(const char *name) { \
        plugin_string_t key = gh_outgoing(name), value; \
        return import(&key, &value) ? text(value) : NULL; \
    }
#define READ_LIST(function, import) \
    const char *const *function(const char *name) { \
        plugin_string_t key = gh_outgoing(name); \
        plugin_list_string_t values; \
        import(&key, &values); \
        return list(values); \
    }
#define READ_FIELDS(function, import, type) \
    const gh_field *function(void) { \
        type all; \
        import(&all); \
        return fields((const gatehouse_plugin_types_header_t *)all.ptr, all.len); \
    }

READ(gh_method, gatehouse_plugin_request_method)
READ(gh_path, gatehouse_plugin_request_path)
READ_OPTION(gh_query, gatehouse_plugin_request_query)
READ_NAMED(gh_query_param, gatehouse_plugin_request_query_param)
READ_LIST(gh_query_params, gatehouse_plugin_request_query_params)
READ_NAMED(gh_path_param, gatehouse_plugin_request_path_param)
READ(gh_scheme, gatehouse_plugin_request_scheme)
READ(gh_authority, gatehouse_plugin_request_authority)
READ(gh_protocol, gatehouse_plugin_request_protocol)
READ_NAMED(gh_header, gatehouse_plugin_request_header)
READ_LIST(gh_header_values, gatehouse_plugin_request_header_values)
READ_FIELDS(gh_headers, gatehouse_plugin_request_headers, gatehouse_plugin_request_list_field_t)
READ_NAMED(gh_cookie, gatehouse_plugin_request_cookie)
READ(gh_client_ip, gatehouse_plugin_request_client_ip)
READ(gh_route, gatehouse_plugin_request_route)
READ(gh_id, gatehouse_plugin_request_id)
READ_NAMED(gh_attribute, gatehouse_plugin_attributes_get)
READ_FIELDS(gh_attributes, gatehouse_plugin_attributes_all, gatehouse_plugin_attributes_list_attribute_t)
READ_NAMED(gh_response_header, gatehouse_plugin_response_header)
READ_LIST(gh_response_header_values, gatehouse_plugin_response_header_values)
READ_FIELDS(gh_response_headers, gatehouse_plugin_response_headers, gatehouse_plugin_response_list_field_t)
READ_OPTION(gh_outcome_verdict, gatehouse_plugin_outcome_verdict)
READ_OPTION(gh_failure, gatehouse_plugin_outcome_failure)

int gh_response_status(void) {
    return gatehouse_plugin_response_status();
}

uint64_t gh_started(void) {
    return gatehouse_plugin_outcome_started();
}

uint64_t gh_duration(void) {
    return gatehouse_plugin_outcome_duration();
}

int64_t gh_upstream_duration(void) {
    uint64_t duration;
    return gatehouse_plugin_outcome_upstream_duration(&duration) ? (int64_t)duration : -1;
}

uint64_t gh_request_bytes(void) {
    return gatehouse_plugin_outcome_request_bytes();
}

uint64_t gh_response_bytes(void) {
    return gatehouse_plugin_outcome_response_bytes();
}

bool gh_verdict_cached(void) {
    return gatehouse_plugin_outcome_verdict_cached();
}

void gh_log(gh_log_level level, const char *format, ...) {
    if (!gatehouse_plugin_log_enabled((gatehouse_plugin_log_level_t)level)) return;
    /* As much as the gateway writes. */
    char *line = gh_arena_alloc(gh_current_arena, 8192);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, 8192, format, arguments);
    va_end(arguments);
    plugin_string_t message = gh_outgoing(gh_text(gh_bytes_of(line)));
    gatehouse_plugin_log_write((gatehouse_plugin_log_level_t)level, &message);
}

uint64_t gh_now(void) {
    wasi_clocks_wall_clock_datetime_t now;
    wasi_clocks_wall_clock_now(&now);
    return now.seconds * 1000 + now.nanoseconds / 1000000;
}

gh_bytes gh_random(size_t length) {
    plugin_list_u8_t bytes;
    wasi_random_random_get_random_bytes(length, &bytes);
    return (gh_bytes){bytes.ptr, bytes.len};
}

uint64_t gh_random_number(void) {
    return wasi_random_random_get_random_u64();
}

#ifdef GH_ASK_OUTPUT
bool gh_write_line(const char *line) {
    plugin_string_t text = gh_outgoing(line);
    return gatehouse_plugin_output_write_line(&text);
}
#endif

#endif
