#include <gatehouse_test.h>

#include <assert.h>
#include <string.h>

int main(void) {
    gh_test_request("GET", "/a");
    gh_test_status(200);
    gh_test_took(2500, -1);
    gh_test_expect(on_log(), "unchanged");
    assert(!strcmp(gh_test_log(), "info: GET /a 200 2.5 ms\n"));
}
