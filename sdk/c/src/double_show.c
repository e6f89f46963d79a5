/* Natively: answers as text, and their comparison. */
#ifndef __wasm__
#include "../gatehouse_test.h"
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *shown(const char *text, const char *name, const char *part) {
    return part ? gh_format("%s, %s %s", text, name, part) : text;
}

const char *gh_test_show(const struct gh_answer *it) {
    if (!it) return "unchanged";
    static const char *const edits[] = {"set ", "append ", "remove "};
    bool answers = it->kind == DENY || it->kind == REPLY;
    const char *text = "";
    switch (it->kind) {
    case ERROR: return gh_format("error %s", it->error);
    case ABSTAIN: return "abstain";
    case REPLACE: return gh_format("replace %s", gh_text(it->body));
    case ALLOW: text = it->principal ? gh_format("allow %s", it->principal) : "allow"; break;
    case DENY: text = gh_format("deny %d", it->status); break;
    case REPLY: text = gh_format("reply %d", it->status); break;
    case EDIT: text = it->status ? gh_format("edit, status %d", it->status) : "edit";
    }
    text = shown(shown(shown(text, "method", it->method), "path", it->path), "query", it->query);
    for (const entry *at = it->headers.first; at; at = at->next) {
        const char *how = answers ? "" : edits[at->kind];
        text = at->kind == REMOVE ? gh_format("%s, %s%s", text, how, at->field.name)
                                  : gh_format("%s, %s%s: %s", text, how, at->field.name, at->field.value);
    }
    for (const entry *at = it->attributes.first; at; at = at->next) {
        text = gh_format("%s, %s=%s", text, at->field.name, at->field.value);
    }
    text = shown(text, "body", it->has_body ? gh_text(it->body) : NULL);
    text = shown(text, "reason", it->reason);
    return it->has_max_age ? gh_format("%s, max-age %u", text, (unsigned)it->max_age) : text;
}

void gh_test_compare(const char *shown, const char *expected, const char *code, const char *file, int line) {
    if (!strcmp(shown, expected)) return;
    fprintf(stderr, "%s:%d: %s\n  is       %s\n  expected %s\n", file, line, code, shown, expected);
    exit(1);
}

#endif
