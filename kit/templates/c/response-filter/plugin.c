/* Hides what the upstream is made of. */
#include <gatehouse.h>

gh_action on_response(void) {
    if (!gh_response_header("x-powered-by")) return NULL;
    return gh_remove_header(gh_edit(), "x-powered-by");
}
