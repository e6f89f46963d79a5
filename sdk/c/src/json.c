/* JSON: a reader of RFC 8259, strict, into values that are linked to each other; and settings read from one. */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The reader calls itself: this bounds the stack that a text can make it use. */
#define DEEPEST 64

struct gh_json_value {
    gh_json_kind kind;
    const char *key;
    struct gh_json_value *next, *first;
    const char *string;
    double number; /* Of a boolean 0 or 1. */
};

typedef struct {
    const uint8_t *start, *at, *end;
    const char *error;
} reader;

static struct gh_json_value *value(reader *it, int depth);

/* Notes the first thing that is wrong. */
static void *wrong(reader *it, const char *what) {
    if (!it->error) it->error = gh_format("%s at byte %zu", what, (size_t)(it->at - it->start));
    return NULL;
}

static int peek(reader *it) {
    return it->at < it->end ? *it->at : -1;
}

static void space(reader *it) {
    while (it->at < it->end && (*it->at == ' ' || *it->at == '\t' || *it->at == '\n' || *it->at == '\r')) it->at++;
}

static bool digits(reader *it) {
    const uint8_t *before = it->at;
    while (peek(it) >= '0' && peek(it) <= '9') it->at++;
    return it->at > before;
}

static struct gh_json_value *fresh(gh_json_kind kind) {
    struct gh_json_value *made = gh_alloc(sizeof *made);
    made->kind = kind;
    return made;
}

static struct gh_json_value *word(reader *it, const char *text, gh_json_kind kind, double number) {
    size_t length = strlen(text);
    if ((size_t)(it->end - it->at) < length || memcmp(it->at, text, length)) return wrong(it, "no value");
    it->at += length;
    struct gh_json_value *made = fresh(kind);
    made->number = number;
    return made;
}

static struct gh_json_value *number(reader *it) {
    const uint8_t *start = it->at;
    if (peek(it) == '-') it->at++;
    if (peek(it) == '0') {
        it->at++;
    } else if (!digits(it)) {
        return wrong(it, "no value");
    }
    if (peek(it) == '.' && (it->at++, !digits(it))) return wrong(it, "a number without digits after its point");
    if (peek(it) == 'e' || peek(it) == 'E') {
        it->at++;
        if (peek(it) == '+' || peek(it) == '-') it->at++;
        if (!digits(it)) return wrong(it, "a number without digits in its exponent");
    }
    struct gh_json_value *made = fresh(GH_NUMBER);
    made->number = strtod(gh_copy(start, (size_t)(it->at - start)), NULL);
    return made;
}

/* The number of four hexadecimal digits, -1 without them. */
static long unit(reader *it) {
    long number = 0;
    if (it->end - it->at < 4) return -1;
    for (int i = 0; i < 4; i++) {
        int c = *it->at++, lower = c | 0x20;
        if (c >= '0' && c <= '9') {
            number = number * 16 + (c - '0');
        } else if (lower >= 'a' && lower <= 'f') {
            number = number * 16 + (lower - 'a' + 10);
        } else {
            return -1;
        }
    }
    return number;
}

/* After `\u`: writes the character; a pair of surrogates is one. NULL when it is none. */
static char *escaped(reader *it, char *end) {
    long code = unit(it);
    if (code >= 0xD800 && code < 0xDC00 && it->end - it->at >= 2 && it->at[0] == '\\' && it->at[1] == 'u') {
        it->at += 2;
        long low = unit(it);
        code = low >= 0xDC00 && low < 0xE000 ? 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00) : -1;
    }
    if (code < 0 || (code >= 0xD800 && code < 0xE000)) return wrong(it, "an escape that is no character");
    if (code == 0) code = 0xFFFD;
    if (code < 0x80) {
        *end++ = (char)code;
        return end;
    }
    int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const int leads[] = {0, 0xC0, 0xE0, 0xF0};
    *end++ = (char)(leads[more] | code >> (6 * more));
    while (more--) *end++ = (char)(0x80 | (code >> (6 * more) & 0x3F));
    return end;
}

static const char *string(reader *it) {
    if (peek(it) != '"') return wrong(it, "no string");
    /* No escape is shorter than what it stands for, so the rest of the text up to a quote that is not escaped is enough. */
    const uint8_t *close = ++it->at;
    while (close < it->end && *close != '"') close += *close == '\\' && it->end - close > 1 ? 2 : 1;
    char *text = gh_arena_alloc(gh_current_arena, (size_t)(close - it->at) + 1), *end = text;
    while (peek(it) != '"') {
        int c = peek(it);
        if (c < 0) return wrong(it, "the text ends within a string");
        if (c < 0x20) return wrong(it, "a control character in a string");
        if (c != '\\') {
            size_t length = gh_sequence(it->at, (size_t)(it->end - it->at));
            if (!length) return wrong(it, "no UTF-8");
            memcpy(end, it->at, length);
            it->at += length;
            end += length;
            continue;
        }
        it->at++;
        static const char names[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
        c = peek(it);
        const char *found = c > 0 ? strchr(names, c) : NULL;
        if (found) {
            *end++ = means[found - names];
            it->at++;
        } else if (c == 'u') {
            it->at++;
            if (!(end = escaped(it, end))) return NULL;
        } else {
            return wrong(it, "an escape that is none");
        }
    }
    it->at++;
    *end = 0;
    return text;
}

/* An array, or an object: its items have keys. */
static struct gh_json_value *items(reader *it, gh_json_kind kind, int depth) {
    struct gh_json_value *made = fresh(kind), **last = &made->first;
    uint8_t close = kind == GH_OBJECT ? '}' : ']';
    if (depth == DEEPEST) return wrong(it, "too deep");
    it->at++;
    space(it);
    if (peek(it) == close) {
        it->at++;
        return made;
    }
    for (;;) {
        const char *key = NULL;
        if (kind == GH_OBJECT) {
            space(it);
            if (!(key = string(it))) return NULL;
            space(it);
            if (peek(it) != ':') return wrong(it, "no `:`");
            it->at++;
        }
        struct gh_json_value *item = value(it, depth + 1);
        if (!item) return NULL;
        item->key = key;
        *last = item;
        last = &item->next;
        if (peek(it) == close) {
            it->at++;
            return made;
        }
        if (peek(it) != ',') return wrong(it, kind == GH_OBJECT ? "no `,` or `}`" : "no `,` or `]`");
        it->at++;
    }
}

/* A value and the space around it. */
static struct gh_json_value *value(reader *it, int depth) {
    struct gh_json_value *made;
    space(it);
    switch (peek(it)) {
    case '{': made = items(it, GH_OBJECT, depth); break;
    case '[': made = items(it, GH_ARRAY, depth); break;
    case '"':
        made = fresh(GH_STRING);
        if (!(made->string = string(it))) made = NULL;
        break;
    case 't': made = word(it, "true", GH_BOOL, 1); break;
    case 'f': made = word(it, "false", GH_BOOL, 0); break;
    case 'n': made = word(it, "null", GH_NULL, 0); break;
    case -1: return wrong(it, "the text ends");
    default: made = number(it);
    }
    space(it);
    return made;
}

gh_json gh_json_parse(gh_bytes text, const char **error) {
    reader it = {text.data, text.data, text.data + text.length, NULL};
    struct gh_json_value *made = value(&it, 0);
    if (made && it.at < it.end) made = wrong(&it, "more than one value");
    if (error) *error = it.error;
    return made;
}

gh_json_kind gh_kind(gh_json value) {
    return value ? value->kind : GH_ABSENT;
}

gh_json gh_get(gh_json object, const char *key) {
    gh_json found = NULL;
    if (gh_kind(object) != GH_OBJECT) return NULL;
    for (gh_json it = object->first; it; it = it->next) {
        if (!strcmp(it->key, key)) found = it;
    }
    return found;
}

gh_json gh_first(gh_json value) {
    return value ? value->first : NULL;
}

gh_json gh_next(gh_json item) {
    return item ? item->next : NULL;
}

const char *gh_key(gh_json member) {
    return member ? member->key : NULL;
}

const char *gh_string(gh_json value) {
    return value ? value->string : NULL;
}

double gh_number(gh_json value, double otherwise) {
    return gh_kind(value) == GH_NUMBER ? value->number : otherwise;
}

bool gh_bool(gh_json value, bool otherwise) {
    return gh_kind(value) == GH_BOOL ? value->number != 0 : otherwise;
}

const char *gh_quote(const char *text) {
    /* At worst each byte becomes \u00NN. */
    char *quoted = gh_arena_alloc(gh_current_arena, strlen(text) * 6 + 3), *end = quoted;
    *end++ = '"';
    for (const char *at = text; *at; at++) {
        if ((uint8_t)*at < 0x20) {
            end += sprintf(end, "\\u%04x", (unsigned)*at);
            continue;
        }
        if (*at == '"' || *at == '\\') *end++ = '\\';
        *end++ = *at;
    }
    memcpy(end, "\"", 2);
    return quoted;
}

gh_result gh_settings(gh_json config, const gh_setting *settings) {
    static const char *const kinds[] = {"absent", "null", "a boolean", "a number", "a string", "an array", "an object"};
    if (gh_kind(config) != GH_OBJECT) return gh_error("the configuration is %s, not an object", kinds[gh_kind(config)]);
    for (gh_json it = config->first; it; it = it->next) {
        const gh_setting *known = settings;
        while (known->key && strcmp(known->key, it->key)) known++;
        if (!known->key) return gh_error("`%s` is unknown", it->key);
        if (it->kind != known->kind) return gh_error("`%s` is %s, not %s", it->key, kinds[it->kind], kinds[known->kind]);
        switch (known->kind) {
        case GH_STRING: *(const char **)known->place = it->string; break;
        case GH_NUMBER: *(double *)known->place = it->number; break;
        case GH_BOOL: *(bool *)known->place = it->number != 0; break;
        default: *(gh_json *)known->place = it;
        }
    }
    for (const gh_setting *it = settings; it->key; it++) {
        if (it->required && !gh_get(config, it->key)) return gh_error("`%s` is missing", it->key);
    }
    return NULL;
}
