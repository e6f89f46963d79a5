/* Refuses bodies that are not JSON. */
#include <gatehouse.h>

#include <string.h>

int64_t request_body_limit(void) {
    const char *type = gh_header("content-type");
    return type && !strcmp(type, "application/json") ? 65536 : GH_NO_BODY;
}

gh_action on_request_body(gh_bytes body) {
    const char *error;
    if (gh_json_parse(body, &error)) return NULL;
    return gh_set_json(gh_reply(400), gh_format("{\"error\":%s}", gh_quote(error)));
}
