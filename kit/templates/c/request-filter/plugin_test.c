#include <gatehouse_test.h>

int main(void) {
    gh_test_request("GET", "/");
    gh_test_client_ip("192.0.2.1");
    gh_test_expect(on_request(), "edit, set x-caller: 192.0.2.1");
}
