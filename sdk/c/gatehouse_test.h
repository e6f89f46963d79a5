/* Doubles of the gateway, to test a plugin natively: plain C, with the machine's compiler and asserts.
 *
 *     assert(!gh_test_init("{\"key\":\"k1\"}"));
 *     gh_test_request("GET", "/pets/1");
 *     gh_test_header("x-key", "k1");
 *     gh_test_expect(authorize(), "allow alice");
 *     assert(!strcmp(gh_test_reads(), "header:x-key"));
 *
 * There is one exchange at a time, begun by gh_test_request: what an earlier one gave is gone then. All strings are copied.
 */
#ifndef GATEHOUSE_TEST_H
#define GATEHOUSE_TEST_H

#include "gatehouse.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Calls `init` with a configuration, JSON text. The text of its error, or NULL. What a gateway runs once in an instance may be
 * run again here; globals keep what they have. */
const char *gh_test_init(const char *config);

/* ---- The exchange ---- */

/* Begins one: `gh_test_request("GET", "/pets/1?x=y")`. */
void gh_test_request(const char *method, const char *target);
/* Adds a header of the request, or of the response. */
void gh_test_header(const char *name, const char *value);
void gh_test_response_header(const char *name, const char *value);
void gh_test_path_param(const char *name, const char *value);
/* By its full name: `auth.principal`. */
void gh_test_attribute(const char *name, const char *value);
void gh_test_client_ip(const char *address);
void gh_test_authority(const char *host);
void gh_test_route(const char *name);
void gh_test_status(int status);
/* When it began, in seconds since 1970; how long it and its upstream (-1: none) took, in microseconds. */
void gh_test_started(uint64_t seconds);
void gh_test_took(uint64_t microseconds, int64_t upstream);
void gh_test_bytes(uint64_t request, uint64_t response);
void gh_test_verdict(const char *verdict, bool cached);
void gh_test_failure(const char *code);

/* What was read of the request so far: each once, sorted, with spaces between: `header:x-key path`. For an authorizer it is
 * what the gateway would make the key of the kept verdict. */
const char *gh_test_reads(void);

/* An answer as text, such as `deny 403, content-type: application/json, body {"error":"unknown key"}, max-age 0`. */
const char *gh_test_show(const struct gh_answer *answer);
/* Ends the test with both texts unless an answer shows as expected. */
#define gh_test_expect(answer, expected) gh_test_compare(gh_test_show(answer), expected, #answer, __FILE__, __LINE__)
void gh_test_compare(const char *shown, const char *expected, const char *code, const char *file, int line);

/* ---- What is around the exchanges ---- */

/* Begins anew: at 2025-06-15T15:06:40Z, with no other server, no state, no lines, and randomness that repeats. */
void gh_test_gateway(void);
/* Sets the clock, in seconds since 1970. */
void gh_test_at(uint64_t seconds);
/* Answers what the plugin sends; without one, sending fails. */
void gh_test_server(gh_http_response (*answer)(const gh_http_request *request));
/* The requests that were sent, each `GET http://a/b`, one a line. */
const char *gh_test_sent(void);
/* The lines that were logged, each `info: text`, and those of output. */
const char *gh_test_log(void);
const char *gh_test_output(void);

#ifdef __cplusplus
}
#endif

#endif
