/* Counts the bytes of request bodies while they stream. */
#include <gatehouse.h>

/* The instance stays with one exchange until its last piece, so a global counts the bytes of that exchange. */
static size_t bytes;

gh_action on_request_chunk(gh_bytes chunk, bool last) {
    bytes += chunk.length;
    if (last) {
        gh_log(GH_LOG_INFO, "%s: %zu bytes", gh_path(), bytes);
        bytes = 0;
    }
    return NULL;
}
