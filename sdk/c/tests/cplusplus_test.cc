// A plugin in C++: the hooks get the linkage of their prototypes, and the standard library is at hand.
#include "../gatehouse_test.h"

#include <cassert>
#include <cstring>
#include <map>
#include <string>

static std::map<std::string, std::string> keys;

gh_result init(gh_json config) {
    for (gh_json it = gh_first(config); it; it = gh_next(it)) {
        if (!gh_string(it)) return gh_error("`%s` is no string", gh_key(it));
        keys[gh_key(it)] = gh_string(it);
    }
    return nullptr;
}

gh_verdict authorize() {
    const char *key = gh_header("x-key");
    auto found = keys.find(key ? key : "");
    return found == keys.end() ? gh_deny(403) : gh_allow(found->second.c_str());
}

int main() {
    assert(!std::strcmp(gh_test_init("{\"k1\":1}"), "`k1` is no string"));
    assert(!gh_test_init("{\"k1\":\"alice\"}"));
    gh_test_request("GET", "/");
    gh_test_expect(authorize(), "deny 403");
    gh_test_header("x-key", "k1");
    gh_test_expect(authorize(), "allow alice");
}
