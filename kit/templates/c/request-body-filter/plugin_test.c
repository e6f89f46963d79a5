#include <gatehouse_test.h>

#include <assert.h>

int main(void) {
    gh_test_request("POST", "/");
    assert(request_body_limit() == GH_NO_BODY);
    gh_test_header("content-type", "application/json");
    assert(request_body_limit() == 65536);
    gh_test_expect(on_request_body(gh_bytes_of("[1]")), "unchanged");
    gh_test_expect(
        on_request_body(gh_bytes_of("[1")), "reply 400, content-type: application/json, body {\"error\":\"no `,` or `]` at byte 2\"}");
}
