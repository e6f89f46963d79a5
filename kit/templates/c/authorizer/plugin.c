/* Lets requests pass that carry the key. */
#include <gatehouse.h>

static const char *key;

gh_result init(gh_json config) {
    const gh_setting settings[] = {{"key", GH_STRING, &key, true}, {0}};
    return gh_settings(config, settings);
}

gh_verdict authorize(void) {
    if (gh_same_secret(gh_header("x-key"), key)) return gh_allow("alice");
    return gh_set_json(gh_deny(403), "{\"error\":\"the key is wrong\"}");
}
