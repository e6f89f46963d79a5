/* Lets callers with a known key pass, and tells the upstream the title from their profile. */
#include <gatehouse.h>

static gh_json keys;
static const char *profiles;

/* What it may be is said in config.schema.json; the gateway has checked that. */
gh_result init(gh_json config) {
    const gh_setting settings[] = {
        {"keys", GH_OBJECT, &keys, true},
        {"profiles", GH_STRING, &profiles, false},
        {0},
    };
    return gh_settings(config, settings);
}

gh_verdict authorize(void) {
    const char *key = gh_header("x-api-key");
    if (!key) return gh_abstain();
    gh_json caller = gh_get(keys, key);
    if (!caller) return gh_set_json(gh_deny(403), "{\"error\":\"unknown key\"}");
    return gh_set_attribute(gh_allow(gh_string(gh_get(caller, "name"))), "plan", gh_string(gh_get(caller, "plan")));
}

gh_action on_request(void) {
    const char *principal = gh_attribute("auth.principal");
    if (!profiles || !principal) return NULL;
    gh_http_response answer = gh_http_get(gh_format("%s/%s", profiles, gh_percent_encode(principal)));
    const char *why = answer.error;
    if (!why && answer.status != 200) why = gh_format("the answer is %d", answer.status);
    gh_json profile = why ? NULL : gh_json_parse(answer.body, &why);
    const char *title = gh_string(gh_get(profile, "title"));
    if (title) return gh_set_header(gh_edit(), "x-profile", title);
    gh_log(GH_LOG_WARN, "no profile of %s: %s", principal, why ? why : "it has no title");
    return NULL;
}
