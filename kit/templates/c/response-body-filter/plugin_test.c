#include <gatehouse_test.h>

#include <assert.h>
#include <string.h>

int main(void) {
    gh_test_request("GET", "/a");
    gh_test_status(200);
    assert(response_body_limit() == GH_NO_BODY);
    gh_test_status(500);
    assert(response_body_limit() == 65536);
    gh_test_expect(
        on_response_body(gh_bytes_of("stack trace")),
        "edit, set content-type: text/plain; charset=utf-8, body something went wrong\n");
    assert(!strcmp(gh_test_log(), "warn: /a: stack trace\n"));
}
