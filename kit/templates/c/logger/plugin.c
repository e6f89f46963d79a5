/* Writes a line for each exchange. */
#include <gatehouse.h>

gh_result on_log(void) {
    gh_log(GH_LOG_INFO, "%s %s %d %g ms", gh_method(), gh_path(), gh_response_status(), gh_duration() / 1000.0);
    return NULL;
}
