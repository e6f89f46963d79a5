/* In a component: its exports, each calling a hook of the plugin. What plugin.toml names is told by GH_HOOK_*. */
#ifdef __wasm__
#include "component.h"

#include <string.h>

/* Made from plugin.toml. */
extern const char gh_name[], gh_version[], gh_description[];
extern const char *const gh_schema;

#define LIFECYCLE(name) exports_gatehouse_plugin_lifecycle_##name

void LIFECYCLE(describe)(LIFECYCLE(manifest_t) *manifest) {
    *manifest = (LIFECYCLE(manifest_t)){
        gh_outgoing(gh_name), gh_outgoing(gh_version), gh_outgoing(gh_description), {gh_schema != NULL, gh_outgoing(gh_schema)}};
}

/* The end of a call: what it allocated goes with the next one's first allocation, after the gateway has read the answer. */
static bool ended(bool well) {
    gh_call_arena.ended = true;
    return well;
}

/* An answer that is an error, or does not fit, becomes the contract's error. */
static bool failed(const struct gh_answer *it, place where, plugin_string_t *error) {
    const char *misfits = gh_misfit(it, where);
    if (misfits) *error = gh_outgoing(misfits);
    return misfits != NULL;
}

bool LIFECYCLE(init)(plugin_string_t *config, plugin_string_t *error) {
    const char *why;
    gh_json value = gh_json_parse((gh_bytes){config->ptr, config->len}, &why);
    bool well = !failed(value ? init(value) : gh_error("the configuration: %s", why), IN_RESULT, error);
    /* What was made so far stays. */
    gh_current_arena = &gh_call_arena;
    return well;
}

static plugin_option_string_t option(const char *text) {
    return (plugin_option_string_t){text != NULL, gh_outgoing(text)};
}

static plugin_list_u8_t bytes(gh_bytes from) {
    return (plugin_list_u8_t){(uint8_t *)from.data, from.length};
}

/* Header fields and attributes have one form. */
static gatehouse_plugin_types_header_t *fields(const entries *from) {
    gatehouse_plugin_types_header_t *all = gh_alloc((from->count + 1) * sizeof *all), *at = all;
    for (const entry *it = from->first; it; it = it->next) {
        *at++ = (gatehouse_plugin_types_header_t){gh_outgoing(it->field.name), gh_outgoing(it->field.value)};
    }
    return all;
}

static gatehouse_plugin_types_header_edit_t *edits(const entries *from) {
    gatehouse_plugin_types_header_edit_t *all = gh_alloc((from->count + 1) * sizeof *all), *at = all;
    for (const entry *it = from->first; it; it = it->next, at++) {
        gatehouse_plugin_types_header_t field = {gh_outgoing(it->field.name), gh_outgoing(it->field.value)};
        switch (it->kind) {
        case SET:
            at->tag = GATEHOUSE_PLUGIN_TYPES_HEADER_EDIT_SET;
            at->val.set = field;
            break;
        case APPEND:
            at->tag = GATEHOUSE_PLUGIN_TYPES_HEADER_EDIT_APPEND;
            at->val.append = field;
            break;
        case REMOVE:
            at->tag = GATEHOUSE_PLUGIN_TYPES_HEADER_EDIT_REMOVE;
            at->val.remove = field.name;
        }
    }
    return all;
}

#define HEADERS(it) {fields(&(it)->headers), (it)->headers.count}
#define EDITS(it) {edits(&(it)->headers), (it)->headers.count}
#define ATTRIBUTES(it) {(gatehouse_plugin_types_attribute_t *)fields(&(it)->attributes), (it)->attributes.count}
#define UNUSED __attribute__((unused))

UNUSED static gatehouse_plugin_types_reply_t reply(const struct gh_answer *it) {
    return (gatehouse_plugin_types_reply_t){(uint16_t)it->status, HEADERS(it), bytes(it->body)};
}

UNUSED static gatehouse_plugin_types_request_edit_t request_edit(const struct gh_answer *it) {
    return (gatehouse_plugin_types_request_edit_t){
        option(it->method), option(it->path), option(it->query), EDITS(it), ATTRIBUTES(it)};
}

UNUSED static gatehouse_plugin_types_response_edit_t response_edit(const struct gh_answer *it) {
    return (gatehouse_plugin_types_response_edit_t){{it->status != 0, (uint16_t)it->status}, EDITS(it), ATTRIBUTES(it)};
}

UNUSED static bool limit(int64_t wanted, uint64_t *result) {
    *result = (uint64_t)wanted;
    return ended(wanted >= 0);
}

UNUSED static bool chunk(const struct gh_answer *it, gatehouse_plugin_types_chunk_action_t *action, plugin_string_t *error) {
    if (failed(it, IN_CHUNK, error)) return ended(false);
    action->tag = GATEHOUSE_PLUGIN_TYPES_CHUNK_ACTION_UNCHANGED;
    if (it && it->kind == REPLACE) {
        action->tag = GATEHOUSE_PLUGIN_TYPES_CHUNK_ACTION_REPLACE;
        action->val.replace = bytes(it->body);
    } else if (it) {
        action->tag = GATEHOUSE_PLUGIN_TYPES_CHUNK_ACTION_RESPOND;
        action->val.respond = reply(it);
    }
    return ended(true);
}

#ifdef GH_HOOK_AUTHORIZER
#define NAME(name) exports_gatehouse_plugin_authorizer_##name
#define TAG(name) EXPORTS_GATEHOUSE_PLUGIN_AUTHORIZER_VERDICT_##name

bool NAME(authorize)(NAME(verdict_t) *verdict, plugin_string_t *error) {
    const struct gh_answer *it = authorize();
    if (failed(it, IN_VERDICT, error)) return ended(false);
    plugin_option_u32_t max_age = {it->has_max_age, it->max_age};
    verdict->tag = it->kind == ALLOW ? TAG(ALLOW) : it->kind == DENY ? TAG(DENY) : TAG(ABSTAIN);
    if (it->kind == ALLOW) {
        verdict->val.allow = (NAME(grant_t)){option(it->principal), ATTRIBUTES(it), EDITS(it), max_age};
    } else if (it->kind == DENY) {
        verdict->val.deny =
            (NAME(denial_t)){(uint16_t)it->status, HEADERS(it), bytes(it->body), option(it->reason), max_age};
    }
    return ended(true);
}

#undef NAME
#undef TAG
#endif

#ifdef GH_HOOK_REQUEST_FILTER
#define NAME(name) exports_gatehouse_plugin_request_filter_##name
#define TAG(name) EXPORTS_GATEHOUSE_PLUGIN_REQUEST_FILTER_REQUEST_ACTION_##name

bool NAME(on_request)(NAME(request_action_t) *action, plugin_string_t *error) {
    const struct gh_answer *it = on_request();
    if (failed(it, IN_REQUEST, error)) return ended(false);
    action->tag = !it ? TAG(UNCHANGED) : it->kind == EDIT ? TAG(EDIT) : TAG(RESPOND);
    if (it && it->kind == EDIT) action->val.edit = request_edit(it);
    if (it && it->kind == REPLY) action->val.respond = reply(it);
    return ended(true);
}

#undef NAME
#undef TAG
#endif

#ifdef GH_HOOK_REQUEST_BODY_FILTER
#define NAME(name) exports_gatehouse_plugin_request_body_filter_##name
#define TAG(name) EXPORTS_GATEHOUSE_PLUGIN_REQUEST_BODY_FILTER_REQUEST_BODY_ACTION_##name

bool NAME(request_body_limit)(uint64_t *bytes) {
    return limit(request_body_limit(), bytes);
}

bool NAME(on_request_body)(plugin_list_u8_t *body, NAME(request_body_action_t) *action, plugin_string_t *error) {
    const struct gh_answer *it = on_request_body((gh_bytes){body->ptr, body->len});
    if (failed(it, IN_REQUEST_BODY, error)) return ended(false);
    action->tag = !it ? TAG(UNCHANGED) : it->kind == EDIT ? TAG(EDIT) : TAG(RESPOND);
    if (it && it->kind == EDIT) {
        action->val.edit = (NAME(request_body_edit_t)){request_edit(it), {it->has_body, bytes(it->body)}};
    }
    if (it && it->kind == REPLY) action->val.respond = reply(it);
    return ended(true);
}

#undef NAME
#undef TAG
#endif

#ifdef GH_HOOK_REQUEST_CHUNK_FILTER
#define NAME(name) exports_gatehouse_plugin_request_chunk_filter_##name

bool NAME(on_request_chunk)(plugin_list_u8_t *piece, bool last, NAME(chunk_action_t) *action, plugin_string_t *error) {
    return chunk(on_request_chunk((gh_bytes){piece->ptr, piece->len}, last), action, error);
}

#undef NAME
#endif

#ifdef GH_HOOK_RESPONSE_FILTER
#define NAME(name) exports_gatehouse_plugin_response_filter_##name
#define TAG(name) EXPORTS_GATEHOUSE_PLUGIN_RESPONSE_FILTER_RESPONSE_ACTION_##name

bool NAME(on_response)(NAME(response_action_t) *action, plugin_string_t *error) {
    const struct gh_answer *it = on_response();
    if (failed(it, IN_RESPONSE, error)) return ended(false);
    action->tag = !it ? TAG(UNCHANGED) : it->kind == EDIT ? TAG(EDIT) : TAG(REPLACE);
    if (it && it->kind == EDIT) action->val.edit = response_edit(it);
    if (it && it->kind == REPLY) action->val.replace = reply(it);
    return ended(true);
}

#undef NAME
#undef TAG
#endif

#ifdef GH_HOOK_RESPONSE_BODY_FILTER
#define NAME(name) exports_gatehouse_plugin_response_body_filter_##name
#define TAG(name) EXPORTS_GATEHOUSE_PLUGIN_RESPONSE_BODY_FILTER_RESPONSE_BODY_ACTION_##name

bool NAME(response_body_limit)(uint64_t *bytes) {
    return limit(response_body_limit(), bytes);
}

bool NAME(on_response_body)(plugin_list_u8_t *body, NAME(response_body_action_t) *action, plugin_string_t *error) {
    const struct gh_answer *it = on_response_body((gh_bytes){body->ptr, body->len});
    if (failed(it, IN_RESPONSE_BODY, error)) return ended(false);
    action->tag = !it ? TAG(UNCHANGED) : it->kind == EDIT ? TAG(EDIT) : TAG(REPLACE);
    if (it && it->kind == EDIT) {
        action->val.edit = (NAME(response_body_edit_t)){response_edit(it), {it->has_body, bytes(it->body)}};
    }
    if (it && it->kind == REPLY) action->val.replace = reply(it);
    return ended(true);
}

#undef NAME
#undef TAG
#endif

#ifdef GH_HOOK_RESPONSE_CHUNK_FILTER
#define NAME(name) exports_gatehouse_plugin_response_chunk_filter_##name

bool NAME(on_response_chunk)(plugin_list_u8_t *piece, bool last, NAME(chunk_action_t) *action, plugin_string_t *error) {
    return chunk(on_response_chunk((gh_bytes){piece->ptr, piece->len}, last), action, error);
}

#undef NAME
#endif

#ifdef GH_HOOK_LOGGER
bool exports_gatehouse_plugin_logger_log(plugin_string_t *error) {
    return ended(!failed(on_log(), IN_RESULT, error));
}
#endif

#endif
