#include <gatehouse_test.h>

#include <assert.h>
#include <string.h>

static const char config[] =
    "{\"keys\":{\"k1\":{\"name\":\"alice\",\"plan\":\"gold\"}},\"profiles\":\"http://profiles.example\"}";

static void a_known_key_passes_and_tells_the_plan(void) {
    gh_test_request("GET", "/orders/1");
    gh_test_header("x-api-key", "k1");
    gh_test_expect(authorize(), "allow alice, plan=gold");
    assert(!strcmp(gh_test_reads(), "header:x-api-key"));
}

static void an_unknown_key_is_refused_and_no_key_is_left_to_others(void) {
    gh_test_request("GET", "/orders/1");
    gh_test_expect(authorize(), "abstain");
    gh_test_header("x-api-key", "k2");
    gh_test_expect(authorize(), "deny 403, content-type: application/json, body {\"error\":\"unknown key\"}");
}

static const char *profile;

static gh_http_response server(const gh_http_request *request) {
    (void)request;
    return (gh_http_response){.status = profile ? 200 : 404, .body = gh_bytes_of(profile)};
}

static void the_title_of_the_profile_goes_upstream(void) {
    gh_test_gateway();
    gh_test_server(server);
    profile = "{\"title\":\"keeper\"}";
    gh_test_request("GET", "/");
    gh_test_attribute("auth.principal", "a/b");
    gh_test_expect(on_request(), "edit, set x-profile: keeper");
    assert(!strcmp(gh_test_sent(), "GET http://profiles.example/a%2Fb\n"));
}

static void without_a_profile_the_request_goes_on_and_the_log_says_why(void) {
    static const char *const profiles[] = {NULL, "keeper", "{}"};
    gh_test_gateway();
    gh_test_server(server);
    gh_test_request("GET", "/");
    gh_test_attribute("auth.principal", "alice");
    for (int i = 0; i < 3; i++) {
        profile = profiles[i];
        gh_test_expect(on_request(), "unchanged");
    }
    assert(!strcmp(gh_test_log(), "warn: no profile of alice: the answer is 404\n"
                                  "warn: no profile of alice: no value at byte 0\n"
                                  "warn: no profile of alice: it has no title\n"));
}

int main(void) {
    assert(!gh_test_init(config));
    a_known_key_passes_and_tells_the_plan();
    an_unknown_key_is_refused_and_no_key_is_left_to_others();
    the_title_of_the_profile_goes_upstream();
    without_a_profile_the_request_goes_on_and_the_log_says_why();
}
