#include <gatehouse_test.h>

#include <assert.h>
#include <string.h>

static void the_key_opens_and_nothing_else_does(void) {
    assert(!gh_test_init("{\"key\":\"k1\"}"));
    gh_test_request("GET", "/");
    gh_test_expect(authorize(), "deny 403, content-type: application/json, body {\"error\":\"the key is wrong\"}");
    gh_test_header("x-key", "k1");
    gh_test_expect(authorize(), "allow alice");
    assert(!strcmp(gh_test_reads(), "header:x-key"));
}

static void a_configuration_without_a_key_is_refused(void) {
    assert(!strcmp(gh_test_init("{}"), "`key` is missing"));
}

int main(void) {
    the_key_opens_and_nothing_else_does();
    a_configuration_without_a_key_is_refused();
}
