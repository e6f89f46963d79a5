#include <gatehouse_test.h>

#include <assert.h>
#include <string.h>

int main(void) {
    for (int time = 0; time < 2; time++) {
        gh_test_gateway();
        gh_test_request("GET", "/a");
        gh_test_expect(on_response_chunk(gh_bytes_of("abc"), false), "unchanged");
        gh_test_expect(on_response_chunk(gh_bytes_of("de"), true), "unchanged");
        assert(!strcmp(gh_test_log(), "info: /a: 5 bytes\n"));
    }
}
