/* Tells the upstream who has asked. */
#include <gatehouse.h>

gh_action on_request(void) {
    return gh_set_header(gh_edit(), "x-caller", gh_client_ip());
}
