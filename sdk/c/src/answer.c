/* What hooks return, and how it is built. */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define HEADED (1 << ALLOW | 1 << DENY | 1 << EDIT | 1 << REPLY)
#define ANSWERING (1 << DENY | 1 << REPLY)

static struct gh_answer *answer(answer_kind kind) {
    struct gh_answer *it = gh_alloc(sizeof *it);
    it->kind = kind;
    return it;
}

gh_result gh_error(const char *format, ...) {
    struct gh_answer *it = answer(ERROR);
    va_list arguments;
    /* 1 KiB says enough, and the log cuts it anyway. */
    char *text = gh_alloc(1024);
    va_start(arguments, format);
    vsnprintf(text, 1024, format, arguments);
    va_end(arguments);
    it->error = gh_text(gh_bytes_of(text));
    return it;
}

/* Whether a string is UTF-8: the gateway ends an instance that hands over another. If not, the answer becomes an error. */
static bool sound(struct gh_answer *it, const char *function, const char *text) {
    size_t left = text ? strlen(text) : 0;
    for (size_t length; left; text += length, left -= length) {
        if ((length = gh_sequence((const uint8_t *)text, left))) continue;
        it->error = gh_format("%s: a string is not UTF-8 (gh_text makes one of any bytes)", function);
        it->kind = ERROR;
        return false;
    }
    return true;
}

gh_verdict gh_allow(const char *principal) {
    struct gh_answer *it = answer(ALLOW);
    if (sound(it, "gh_allow", principal)) it->principal = principal;
    return it;
}

gh_verdict gh_deny(int status) {
    struct gh_answer *it = answer(DENY);
    it->status = status;
    return it;
}

gh_verdict gh_abstain(void) {
    return answer(ABSTAIN);
}

gh_action gh_edit(void) {
    return answer(EDIT);
}

gh_action gh_reply(int status) {
    struct gh_answer *it = answer(REPLY);
    it->status = status;
    return it;
}

gh_action gh_replace(gh_bytes bytes) {
    struct gh_answer *it = answer(REPLACE);
    it->body = bytes;
    it->has_body = true;
    return it;
}

static const char *const KINDS[] = {"an error", "gh_allow", "gh_deny", "gh_abstain", "gh_edit", "gh_reply", "gh_replace"};

/* Whether the function fits the answer, one of these kinds. If not, the answer becomes an error; an error stays what it is. */
static bool fits(struct gh_answer *it, const char *function, int kinds) {
    if (!it || it->kind == ERROR) return false;
    if (kinds >> it->kind & 1) return true;
    it->error = gh_format("%s does not fit %s", function, KINDS[it->kind]);
    it->kind = ERROR;
    return false;
}

static void add(entries *list, edit_kind kind, const char *name, const char *value) {
    entry *it = gh_alloc(sizeof *it);
    *it = (entry){NULL, kind, {name, value ? value : ""}};
    if (list->last) {
        list->last->next = it;
    } else {
        list->first = it;
    }
    list->last = it;
    list->count++;
}

/* In an answer of the plugin's own there is nothing yet to keep, so it is a plain list. */
static void drop(entries *list, const char *name) {
    entries rest = {0};
    for (entry *it = list->first; it; it = it->next) {
        if (strcasecmp(it->field.name, name)) add(&rest, APPEND, it->field.name, it->field.value);
    }
    *list = rest;
}

static struct gh_answer *header(struct gh_answer *it, const char *function, edit_kind kind, const char *name, const char *value) {
    if (!fits(it, function, HEADED) || !sound(it, function, name) || !sound(it, function, value)) return it;
    if (ANSWERING >> it->kind & 1) {
        if (kind != APPEND) drop(&it->headers, name);
        if (kind == REMOVE) return it;
        kind = APPEND;
    }
    add(&it->headers, kind, name, value);
    return it;
}

struct gh_answer *gh_set_header(struct gh_answer *it, const char *name, const char *value) {
    return header(it, "gh_set_header", SET, name, value);
}

struct gh_answer *gh_append_header(struct gh_answer *it, const char *name, const char *value) {
    return header(it, "gh_append_header", APPEND, name, value);
}

struct gh_answer *gh_remove_header(struct gh_answer *it, const char *name) {
    return header(it, "gh_remove_header", REMOVE, name, NULL);
}

struct gh_answer *gh_set_attribute(struct gh_answer *it, const char *name, const char *value) {
    static const char function[] = "gh_set_attribute";
    if (fits(it, function, 1 << ALLOW | 1 << EDIT) && sound(it, function, name) && sound(it, function, value)) {
        add(&it->attributes, SET, name, value);
    }
    return it;
}

struct gh_answer *gh_set_max_age(struct gh_answer *it, uint32_t seconds) {
    if (!fits(it, "gh_set_max_age", 1 << ALLOW | 1 << DENY)) return it;
    it->has_max_age = true;
    it->max_age = seconds;
    return it;
}

struct gh_answer *gh_set_reason(struct gh_answer *it, const char *reason) {
    if (fits(it, "gh_set_reason", 1 << DENY) && sound(it, "gh_set_reason", reason)) it->reason = reason;
    return it;
}

struct gh_answer *gh_set_method(struct gh_answer *it, const char *method) {
    if (fits(it, "gh_set_method", 1 << EDIT) && sound(it, "gh_set_method", method)) it->method = method;
    return it;
}

struct gh_answer *gh_set_path(struct gh_answer *it, const char *path) {
    if (fits(it, "gh_set_path", 1 << EDIT) && sound(it, "gh_set_path", path)) it->path = path;
    return it;
}

struct gh_answer *gh_set_query(struct gh_answer *it, const char *query) {
    if (fits(it, "gh_set_query", 1 << EDIT) && sound(it, "gh_set_query", query)) it->query = query;
    return it;
}

struct gh_answer *gh_set_status(struct gh_answer *it, int status) {
    if (fits(it, "gh_set_status", ANSWERING | 1 << EDIT)) it->status = status;
    return it;
}

static struct gh_answer *body(struct gh_answer *it, const char *function, gh_bytes bytes, const char *type) {
    if (!fits(it, function, ANSWERING | 1 << EDIT)) return it;
    it->body = bytes;
    it->has_body = true;
    return type ? gh_set_header(it, "content-type", type) : it;
}

struct gh_answer *gh_set_body(struct gh_answer *it, gh_bytes bytes) {
    return body(it, "gh_set_body", bytes, NULL);
}

struct gh_answer *gh_set_text(struct gh_answer *it, const char *text) {
    return body(it, "gh_set_text", gh_bytes_of(text), "text/plain; charset=utf-8");
}

struct gh_answer *gh_set_json(struct gh_answer *it, const char *text) {
    return body(it, "gh_set_json", gh_bytes_of(text), "application/json");
}

const char *gh_misfit(const struct gh_answer *it, place where) {
    static const struct {
        const char *hook;
        int kinds;
    } places[] = {
        [IN_VERDICT] = {"an authorizer", 1 << ALLOW | 1 << DENY | 1 << ABSTAIN},
        [IN_REQUEST] = {"a request filter", 1 << EDIT | 1 << REPLY},
        [IN_REQUEST_BODY] = {"a request body filter", 1 << EDIT | 1 << REPLY},
        [IN_RESPONSE] = {"a response filter", 1 << EDIT | 1 << REPLY},
        [IN_RESPONSE_BODY] = {"a response body filter", 1 << EDIT | 1 << REPLY},
        [IN_CHUNK] = {"a chunk filter", 1 << REPLACE | 1 << REPLY},
        [IN_RESULT] = {"init and on_log", 0},
    };
    bool of_request = where == IN_REQUEST || where == IN_REQUEST_BODY;
    if (!it) return where == IN_VERDICT ? "authorize returned NULL" : NULL;
    if (it->kind == ERROR) return it->error;
    if (!(places[where].kinds >> it->kind & 1)) return gh_format("%s does not fit %s", KINDS[it->kind], places[where].hook);
    if (it->status < 0 || it->status > 999) return gh_format("there is no status %d", it->status);
    if (it->kind != EDIT) return NULL;
    if (it->has_body && where != IN_REQUEST_BODY && where != IN_RESPONSE_BODY) return "only a body filter's edit has a body";
    if (it->status && of_request) return "gh_set_status does not fit a request";
    if ((it->method || it->path || it->query) && !of_request) {
        return "gh_set_method, gh_set_path and gh_set_query do not fit a response";
    }
    return NULL;
}
