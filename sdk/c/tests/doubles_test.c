/* The doubles: they answer as the gateway does. */
#include "../gatehouse_test.h"

#include <assert.h>
#include <string.h>

static bool is(const char *text, const char *expected) {
    return text && !strcmp(text, expected);
}

static void reads_are_answered_and_noted(void) {
    gh_test_request("POST", "/pets/1?q=a%20b&q=c+d&r&n=%00&bad=%ff%2");
    assert(is(gh_test_reads(), ""));
    gh_test_header("X-Key", "k1");
    gh_test_header("x-key", "k2");
    gh_test_header("cookie", "a=1; c=choc");
    gh_test_header("cookie", "d=2");
    gh_test_header("authorization", "bearer  tok.en ");
    gh_test_path_param("id", "1");
    gh_test_attribute("auth.principal", "alice");
    assert(is(gh_method(), "POST") && is(gh_path(), "/pets/1") && is(gh_scheme(), "http") && is(gh_authority(), "localhost"));
    assert(is(gh_test_reads(), "authority method path scheme"));
    assert(is(gh_query(), "q=a%20b&q=c+d&r&n=%00&bad=%ff%2") && is(gh_query_param("q"), "a b") && is(gh_query_param("r"), ""));
    assert(!gh_query_param("s") && is(gh_join(gh_query_params("q"), "|"), "a b|c d"));
    assert(is(gh_query_param("n"), "\xEF\xBF\xBD") && is(gh_query_param("bad"), "\xEF\xBF\xBD%2"));
    assert(is(gh_header("x-KEY"), "k1, k2") && !gh_header("x-none") && is(gh_join(gh_header_values("x-key"), "|"), "k1|k2"));
    assert(is(gh_cookie("c"), "choc") && is(gh_cookie("d"), "2") && !gh_cookie("b") && is(gh_bearer(), "tok.en"));
    assert(is(gh_path_param("id"), "1") && !gh_path_param("no") && is(gh_attribute("auth.principal"), "alice"));
    assert(is(gh_headers()[0].name, "x-key") && is(gh_headers()[4].value, "bearer  tok.en ") && !gh_headers()[5].name);
    gh_test_request("GET", "/");
    assert(!gh_query() && !gh_query_param("q") && !gh_query_params("q")[0] && !gh_bearer() && !gh_cookie("c") &&
           !gh_attribute("a"));
    gh_header("B");
    gh_header("b");
    gh_header("a");
    assert(is(gh_test_reads(), "attribute:a cookie:c header:a header:authorization header:b query query-param:q query-params:q"));
}

static void the_response_and_the_outcome_are_what_was_set(void) {
    gh_test_request("GET", "/");
    assert(gh_response_status() == 0 && gh_upstream_duration() == -1 && !gh_failure() && !gh_outcome_verdict());
    gh_test_status(201);
    gh_test_response_header("X-A", "1");
    gh_test_started(5);
    gh_test_took(7, 6);
    gh_test_bytes(8, 9);
    gh_test_verdict("allow", true);
    gh_test_failure("client_left");
    assert(gh_response_status() == 201 && is(gh_response_header("x-a"), "1") && is(gh_response_headers()[0].name, "x-a"));
    assert(gh_started() == 5000 && gh_duration() == 7 && gh_upstream_duration() == 6 && gh_request_bytes() == 8);
    assert(gh_response_bytes() == 9 && is(gh_outcome_verdict(), "allow") && gh_verdict_cached() && is(gh_failure(), "client_left"));
    assert(is(gh_response_header_values("x-a")[0], "1") && is(gh_test_reads(), ""));
}

static gh_http_response server(const gh_http_request *request) {
    return (gh_http_response){.status = 200, .body = gh_bytes_of(request->url)};
}

static void around_the_exchange(void) {
    gh_test_gateway();
    assert(gh_now() == 1750000000000 && gh_random(4).length == 4 && gh_random_number() != gh_random_number());
    gh_test_at(9);
    assert(gh_now() == 9000);
    gh_log(GH_LOG_WARN, "%d", 1);
    gh_test_request("GET", "/");
    gh_log(GH_LOG_INFO, "two");
    assert(is(gh_test_log(), "warn: 1\ninfo: two\n") && gh_write_line("line") && is(gh_test_output(), "line\n"));
    assert(is(gh_http_get("http://a/b").error, "nothing answers http://a/b") &&
           is(gh_http_get("a").error, "the URL has no scheme"));
    gh_test_server(server);
    gh_http_response answer = gh_http_get("http://c/");
    assert(!answer.error && answer.status == 200 && is(gh_text(answer.body), "http://c/"));
    assert(is(gh_test_sent(), "GET http://a/b\nGET http://c/\n"));
    gh_test_gateway();
    assert(is(gh_test_log(), "") && is(gh_test_sent(), "") && gh_http_get("http://a/b").error);
}

static void state_is_kept_in_buckets(void) {
    gh_bytes value;
    const char *const *keys;
    int64_t sum;
    gh_test_gateway();
    assert(!gh_kv_get("b", "k", &value) && !value.data);
    assert(!gh_kv_set("b", "k", gh_bytes_of("1")) && !gh_kv_set("b", "k", gh_bytes_of("22")) &&
           !gh_kv_set("c", "k", gh_bytes_of("3")));
    gh_test_request("GET", "/");
    assert(!gh_kv_get("b", "k", &value) && is(gh_text(value), "22"));
    assert(!gh_kv_increment("b", "k", 2, &sum) && sum == 24 && !gh_kv_increment("b", "n", -1, NULL));
    assert(!gh_kv_get("b", "n", &value) && is(gh_text(value), "-1"));
    assert(!gh_kv_keys("b", &keys) && is(gh_join(keys, " "), "n k"));
    assert(!gh_kv_delete("b", "k") && !gh_kv_delete("b", "k") && !gh_kv_keys("b", &keys) && is(gh_join(keys, " "), "n"));
    assert(!gh_kv_set("b", "n", gh_bytes_of("x")) && is(gh_kv_increment("b", "n", 1, NULL), "key-value store: not a number"));
}

/* No `init` in this plugin. */
static void without_an_init_there_is_no_configuration(void) {
    assert(!gh_test_init("{}"));
    assert(is(gh_test_init("{\"a\":1}"), "`a` is unknown"));
    assert(is(gh_test_init("{"), "the configuration: no string at byte 1"));
}

int main(void) {
    reads_are_answered_and_noted();
    the_response_and_the_outcome_are_what_was_set();
    around_the_exchange();
    state_is_kept_in_buckets();
    without_an_init_there_is_no_configuration();
}
