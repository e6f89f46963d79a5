/* The subject of the conformance battery: the same plugin in every language, run through the same cases
 * (`tests/conformance.rs`). What it does is told by headers of the request, so each hook shows all that it can do. */
#include <gatehouse.h>

#include <string.h>

static const char *secret, *url = "";
/* How often this instance was asked to authorize. */
static unsigned seen;
/* Bytes of the body that is passing. */
static size_t counted;

gh_result init(gh_json config) {
    const gh_setting settings[] = {
        {"secret", GH_STRING, &secret, true},
        {"url", GH_STRING, &url, false},
        {0},
    };
    gh_result wrong = gh_settings(config, settings);
    if (!wrong && !*secret) wrong = gh_error("`secret` is empty");
    return wrong;
}

/* Whether a header of the request has a value. */
static bool says(const char *header, const char *value) {
    const char *said = gh_header(header);
    return said && !strcmp(said, value);
}

static const char *or_none(const char *value) {
    return value ? value : "-";
}

/* Tells the upstream all that can be read. */
static gh_verdict echo(void) {
    gh_verdict it = gh_allow(NULL);
    gh_set_header(it, "x-method", gh_method());
    gh_set_header(it, "x-path", gh_path());
    gh_set_header(it, "x-query", or_none(gh_query()));
    gh_set_header(it, "x-q", or_none(gh_query_param("q")));
    gh_set_header(it, "x-qs", gh_join(gh_query_params("q"), "|"));
    gh_set_header(it, "x-p", or_none(gh_path_param("p")));
    gh_set_header(it, "x-scheme", gh_scheme());
    gh_set_header(it, "x-bytes", or_none(gh_header("x-bytes")));
    gh_set_header(it, "x-cookie", or_none(gh_cookie("c")));
    gh_set_header(it, "x-bearer", or_none(gh_bearer()));
    gh_set_header(it, "x-values", gh_join(gh_header_values("x-multi"), "|"));
    gh_set_header(it, "x-client", gh_client_ip());
    gh_set_header(it, "x-route", gh_route());
    gh_append_header(it, "x-appended", "1");
    gh_append_header(it, "x-appended", "2");
    gh_remove_header(it, "x-gone");
    return gh_set_max_age(it, 0);
}

static gh_verdict fetch(void) {
    const gh_field headers[] = {{"x-from", "subject"}, {0}};
    gh_http_response answer = gh_http_send(&(gh_http_request){.url = url, .headers = headers});
    if (answer.error) return gh_set_body(gh_deny(503), gh_bytes_of("fetch failed"));
    return gh_set_header(gh_allow(NULL), "x-fetched", gh_format("%d %s", answer.status, gh_text(answer.body)));
}

gh_verdict authorize(void) {
    const char *count = gh_format("%u", ++seen);
    if (says("x-act", "key")) {
        if (!gh_same_secret(gh_header("x-key"), secret)) {
            return gh_set_max_age(gh_set_json(gh_deny(403), "{\"error\":\"unknown key\"}"), 0);
        }
        return gh_set_max_age(gh_set_attribute(gh_allow("key-holder"), "seen", count), 60);
    }
    if (says("x-act", "deny")) {
        gh_verdict it = gh_set_body(gh_deny(402), gh_bytes_of("no money"));
        gh_set_header(it, "x-reason", "money");
        gh_set_header(it, "www-authenticate", "Pay");
        return gh_set_reason(it, "out of money");
    }
    if (says("x-act", "abstain")) return gh_abstain();
    if (says("x-act", "error")) return gh_error("the subject was asked to fail");
    if (says("x-act", "echo")) return echo();
    if (says("x-act", "fetch")) return fetch();
    /* Volatile: a loop without an effect may be taken to end. */
    if (says("x-act", "loop")) for (volatile unsigned turns = 0;; turns = turns + 1);
    gh_verdict it = gh_allow("alice");
    gh_set_attribute(it, "plan", "gold");
    gh_set_attribute(it, "seen", count);
    gh_set_header(it, "x-verdict", "allow");
    return gh_set_max_age(it, 0);
}

gh_action on_request(void) {
    if (says("x-edit", "edit")) {
        gh_action it = gh_edit();
        gh_set_method(it, "PUT");
        gh_set_path(it, "/edited");
        gh_set_query(it, "a=b");
        gh_set_header(it, "x-set", "1");
        gh_append_header(it, "x-multi", "3");
        gh_remove_header(it, "x-gone");
        return gh_set_attribute(it, "note", "edited");
    }
    if (says("x-edit", "respond")) {
        return gh_set_header(gh_set_body(gh_reply(418), gh_bytes_of("short and stout")), "x-teapot", "yes");
    }
    if (says("x-edit", "error")) return gh_error("the filter was asked to fail");
    return NULL;
}

int64_t request_body_limit(void) {
    if (says("x-body", "trap")) __builtin_trap();
    return gh_header("x-body") ? 65536 : GH_NO_BODY;
}

gh_action on_request_body(gh_bytes body) {
    if (says("x-body", "double")) {
        uint8_t *twice = gh_alloc(body.length * 2);
        memcpy(twice, body.data, body.length);
        memcpy(twice + body.length, body.data, body.length);
        return gh_set_body(gh_edit(), (gh_bytes){twice, body.length * 2});
    }
    if (says("x-body", "respond")) return gh_set_body(gh_reply(422), gh_bytes_of(gh_format("%zu bytes", body.length)));
    if (says("x-body", "error")) return gh_error("the filter was asked to fail");
    return NULL;
}

gh_action on_response(void) {
    if (says("x-answer", "edit")) {
        gh_action it = gh_set_status(gh_edit(), 203);
        gh_set_header(it, "x-upstream-status", gh_format("%d", gh_response_status()));
        gh_remove_header(it, "x-gone");
        return gh_set_attribute(it, "answered", "yes");
    }
    if (says("x-answer", "replace")) return gh_set_body(gh_reply(503), gh_bytes_of("replaced"));
    return NULL;
}

gh_action on_response_chunk(gh_bytes chunk, bool last) {
    if (says("x-chunks", "upper")) {
        uint8_t *upper = gh_alloc(chunk.length);
        for (size_t i = 0; i < chunk.length; i++) {
            bool lower = chunk.data[i] >= 'a' && chunk.data[i] <= 'z';
            upper[i] = lower ? chunk.data[i] - 32 : chunk.data[i];
        }
        return gh_replace((gh_bytes){upper, chunk.length});
    }
    if (says("x-chunks", "count")) {
        counted += chunk.length;
        if (!last) return gh_replace((gh_bytes){0});
        const char *total = gh_format("%zu", counted);
        counted = 0;
        return gh_replace(gh_bytes_of(total));
    }
    return NULL;
}

gh_result on_log(void) {
    const char *principal = or_none(gh_attribute("auth.principal"));
    gh_log(GH_LOG_INFO, "subject: %d %s %s", gh_response_status(), principal, or_none(gh_failure()));
    return NULL;
}
