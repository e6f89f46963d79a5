/* What is made of reads: on top of the imports or of their doubles. And the hooks that a plugin may leave out. */
#include "internal.h"

#include <string.h>

#define OPTIONAL __attribute__((weak))

OPTIONAL gh_result init(gh_json config) {
    return gh_settings(config, &(gh_setting){0});
}

OPTIONAL int64_t request_body_limit(void) {
    return GH_WHOLE_BODY;
}

OPTIONAL int64_t response_body_limit(void) {
    return GH_WHOLE_BODY;
}

const char *gh_bearer(void) {
    const char *value = gh_header("authorization");
    if (!value || strncasecmp(value, "Bearer ", 7)) return NULL;
    value += 7;
    while (*value == ' ') value++;
    size_t length = strlen(value);
    while (length && value[length - 1] == ' ') length--;
    return length ? gh_copy(value, length) : NULL;
}

bool gh_same_secret(const char *a, const char *b) {
    if (!a || !b || !*a || strlen(a) != strlen(b)) return false;
    /* Volatile: the compiler must not end the loop at the first difference. */
    volatile uint8_t differences = 0;
    for (; *a; a++, b++) differences |= (uint8_t)(*a ^ *b);
    return differences == 0;
}

#if !defined(__wasm__) || defined(GH_ASK_HTTP)
gh_http_response gh_http_get(const char *url) {
    return gh_http_send(&(gh_http_request){.url = url});
}
#endif

const char *gh_url_split(const char *url, url_parts *parts) {
    const char *rest = url ? strstr(url, "://") : NULL;
    if (!rest) return "the URL has no scheme";
    size_t scheme = (size_t)(rest - url);
    parts->https = scheme == 5 && !strncmp(url, "https", 5);
    if (!parts->https && !(scheme == 4 && !strncmp(url, "http", 4))) return "the URL's scheme is not http or https";
    rest += 3;
    size_t host = strcspn(rest, "/?#");
    parts->authority = gh_copy(rest, host);
    rest += host;
    const char *path = gh_copy(rest, strcspn(rest, "#"));
    parts->path = *path == '/' ? path : gh_format("/%s", path);
    return NULL;
}
