/* Answers: how they are built, and what is said of those that do not fit. */
#include "../gatehouse_test.h"
#include "../src/internal.h"

#include <assert.h>
#include <string.h>

static void verdicts(void) {
    gh_verdict it = gh_set_header(gh_allow("alice"), "x-a", "1");
    gh_append_header(it, "x-a", "2");
    gh_remove_header(it, "x-b");
    gh_set_attribute(it, "plan", "gold");
    gh_set_max_age(it, 0);
    gh_test_expect(it, "allow alice, set x-a: 1, append x-a: 2, remove x-b, plan=gold, max-age 0");
    gh_test_expect(gh_allow(NULL), "allow");
    gh_test_expect(gh_abstain(), "abstain");
    it = gh_set_reason(gh_set_json(gh_deny(403), "{\"error\":\"no\"}"), "why");
    gh_test_expect(it, "deny 403, content-type: application/json, body {\"error\":\"no\"}, reason why");
}

static void an_answer_of_ones_own_has_no_edits(void) {
    gh_action it = gh_set_header(gh_reply(200), "X-A", "1");
    gh_append_header(it, "x-a", "2");
    gh_test_expect(it, "reply 200, X-A: 1, x-a: 2");
    gh_test_expect(gh_set_header(it, "x-a", "3"), "reply 200, x-a: 3");
    gh_test_expect(gh_remove_header(it, "x-A"), "reply 200");
    gh_test_expect(gh_set_text(gh_set_text(it, "a"), "b"), "reply 200, content-type: text/plain; charset=utf-8, body b");
}

static void edits(void) {
    gh_action it = gh_set_query(gh_set_path(gh_set_method(gh_edit(), "PUT"), "/a"), "");
    gh_test_expect(it, "edit, method PUT, path /a, query ");
    assert(!gh_misfit(it, IN_REQUEST) && !gh_misfit(gh_set_body(it, gh_bytes_of("b")), IN_REQUEST_BODY));
    assert(!strcmp(gh_misfit(it, IN_REQUEST), "only a body filter's edit has a body"));
    const char *no_path = gh_misfit(gh_set_path(gh_edit(), "/"), IN_RESPONSE);
    assert(!strcmp(no_path, "gh_set_method, gh_set_path and gh_set_query do not fit a response"));
    assert(!strcmp(gh_misfit(gh_set_status(gh_edit(), 200), IN_REQUEST_BODY), "gh_set_status does not fit a request"));
    gh_test_expect(gh_set_status(gh_edit(), 201), "edit, status 201");
}

static void what_does_not_fit_is_an_error_that_says_so(void) {
    gh_test_expect(gh_set_path(gh_deny(403), "/a"), "error gh_set_path does not fit gh_deny");
    /* The first error stays. */
    gh_test_expect(gh_set_reason(gh_set_reason(gh_allow("a"), "b"), "c"), "error gh_set_reason does not fit gh_allow");
    gh_test_expect(gh_set_attribute(gh_error("%s %d", "a", 1), "b", "c"), "error a 1");
    gh_test_expect(gh_error("%s", "\xFF"), "error \xEF\xBF\xBD");
    static const char wrong[] = "a string is not UTF-8 (gh_text makes one of any bytes)";
    gh_test_expect(gh_allow("\xC3"), gh_format("error gh_allow: %s", wrong));
    gh_test_expect(gh_set_header(gh_reply(200), "a", "\xFF"), gh_format("error gh_set_header: %s", wrong));
    gh_test_expect(gh_set_attribute(gh_edit(), "a", "b\x80"), gh_format("error gh_set_attribute: %s", wrong));
    gh_test_expect(gh_set_path(gh_edit(), "/\xED\xA0\x80"), gh_format("error gh_set_path: %s", wrong));
    assert(!gh_set_header(NULL, "a", "b"));
    assert(!strcmp(gh_misfit(gh_allow("a"), IN_REQUEST), "gh_allow does not fit a request filter"));
    assert(!strcmp(gh_misfit(gh_edit(), IN_VERDICT), "gh_edit does not fit an authorizer"));
    assert(!strcmp(gh_misfit(gh_edit(), IN_CHUNK), "gh_edit does not fit a chunk filter"));
    assert(!strcmp(gh_misfit(gh_reply(200), IN_RESULT), "gh_reply does not fit init and on_log"));
    assert(!strcmp(gh_misfit(NULL, IN_VERDICT), "authorize returned NULL"));
    assert(!strcmp(gh_misfit(gh_deny(70000), IN_VERDICT), "there is no status 70000"));
    assert(!gh_misfit(NULL, IN_CHUNK) && !gh_misfit(NULL, IN_RESULT) && !gh_misfit(gh_replace((gh_bytes){0}), IN_CHUNK));
}

static void secrets(void) {
    assert(gh_same_secret("abc", "abc") && !gh_same_secret("abc", "abd") && !gh_same_secret("abc", "ab"));
    assert(!gh_same_secret("", "") && !gh_same_secret(NULL, "a") && !gh_same_secret("a", NULL) && !gh_same_secret(NULL, NULL));
}

static void text_is_always_utf_8_without_nul(void) {
    assert(!strcmp(gh_text((gh_bytes){(const uint8_t *)"a\0\xC3\xA9\xC3", 5}), "a\xEF\xBF\xBD\xC3\xA9\xEF\xBF\xBD"));
    assert(!strcmp(gh_text((gh_bytes){0}), ""));
    static const char *const some[] = {"a", "", "b", NULL}, *const none[] = {NULL};
    assert(!strcmp(gh_join(some, "|"), "a||b") && !strcmp(gh_join(none, "|"), ""));
    assert(!strcmp(gh_percent_encode("aZ09-._~/ %@[`{\xC3\xA9"), "aZ09-._~%2F%20%25%40%5B%60%7B%C3%A9"));
    assert(!strcmp(gh_format("%s-%05.1f", "x", 2.25), "x-002.2"));
}

static void headers_are_bytes_outside(void) {
    uint8_t bytes[256];
    for (int i = 0; i < 256; i++) bytes[i] = (uint8_t)(i + !i);
    gh_bytes back;
    assert(gh_narrow(gh_widen(bytes, 256), &back) && back.length == 256 && !memcmp(back.data, bytes, 256));
    assert(!gh_narrow("\xC4\x80", &back) && !gh_narrow("\xE2\x82\xAC", &back) && !gh_narrow("\x80", &back) &&
           !gh_narrow("\xC2", &back));
}

static void urls(void) {
    url_parts parts;
    assert(!gh_url_split("https://a:8/b?c#d", &parts) && parts.https);
    assert(!strcmp(parts.authority, "a:8") && !strcmp(parts.path, "/b?c"));
    assert(!gh_url_split("http://a?c", &parts) && !parts.https && !strcmp(parts.path, "/?c"));
    assert(!gh_url_split("http://a#d", &parts) && !strcmp(parts.authority, "a") && !strcmp(parts.path, "/"));
    assert(!strcmp(gh_url_split("a/b", &parts), "the URL has no scheme") && gh_url_split(NULL, &parts));
    assert(!strcmp(gh_url_split("ftp://a", &parts), "the URL's scheme is not http or https") && gh_url_split("httpx://a", &parts));
}

static void memory_is_zero_and_large_pieces_do_not_waste_it(void) {
    static arena it;
    char *first = gh_arena_alloc(&it, 16);
    for (int i = 0; i < 100; i++) {
        memset(gh_arena_alloc(&it, 100000), 1, 100000);
        assert(gh_arena_alloc(&it, 16) == (void *)(first += 16));
    }
    gh_arena_reset(&it);
    char *again = gh_arena_alloc(&it, 16);
    it.ended = true;
    assert(gh_arena_alloc(&it, 16) == again);
    gh_arena_reset(&it);
    for (int i = 0; i < 10; i++) {
        const char *zero = gh_alloc(5000);
        for (int at = 0; at < 5000; at++) assert(!zero[at]);
        memset((char *)zero, 1, 5000);
        if (i % 3 == 0) gh_test_request("GET", "/");
    }
}

int main(void) {
    gh_test_request("GET", "/");
    verdicts();
    an_answer_of_ones_own_has_no_edits();
    edits();
    what_does_not_fit_is_an_error_that_says_so();
    secrets();
    text_is_always_utf_8_without_nul();
    headers_are_bytes_outside();
    urls();
    memory_is_zero_and_large_pieces_do_not_waste_it();
}
