/* Keeps the details of the upstream's failures for the log. */
#include <gatehouse.h>

int64_t response_body_limit(void) {
    return gh_response_status() >= 500 ? 65536 : GH_NO_BODY;
}

gh_action on_response_body(gh_bytes body) {
    gh_log(GH_LOG_WARN, "%s: %s", gh_path(), gh_text(body));
    return gh_set_text(gh_edit(), "something went wrong\n");
}
