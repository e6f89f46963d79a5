#include <gatehouse_test.h>

int main(void) {
    gh_test_request("GET", "/");
    gh_test_expect(on_response(), "unchanged");
    gh_test_response_header("x-powered-by", "cobol");
    gh_test_expect(on_response(), "edit, remove x-powered-by");
}
