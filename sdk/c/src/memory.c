/* Memory that nobody frees: arenas, and strings in them. */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Most calls fit into one. */
#define CHUNK 16384

struct chunk {
    struct chunk *next;
    size_t size, used;
    _Alignas(16) uint8_t bytes[];
};

arena gh_init_arena, gh_call_arena;
arena *gh_current_arena = &gh_init_arena;

void *gh_arena_alloc(arena *from, size_t size) {
    if (from->ended) gh_arena_reset(from);
    if (size > SIZE_MAX / 2) abort();
    size = (size + 15) & ~(size_t)15;
    struct chunk *chunk = from->chunks;
    if (!chunk || size > chunk->size - chunk->used) {
        size_t room = size > CHUNK ? size : CHUNK;
        struct chunk *fresh = malloc(sizeof *fresh + room);
        if (!fresh) abort();
        *fresh = (struct chunk){.size = room};
        /* A large piece must not end the use of a chunk with room in it. */
        if (chunk && size > CHUNK / 2) {
            fresh->next = chunk->next;
            chunk->next = fresh;
            fresh->used = size;
            return fresh->bytes;
        }
        fresh->next = chunk;
        from->chunks = chunk = fresh;
    }
    void *result = chunk->bytes + chunk->used;
    chunk->used += size;
    return result;
}

void gh_arena_reset(arena *it) {
    struct chunk *kept = NULL;
    for (struct chunk *next, *chunk = it->chunks; chunk; chunk = next) {
        next = chunk->next;
        if (!kept && chunk->size == CHUNK) {
            *(kept = chunk) = (struct chunk){.size = CHUNK};
        } else {
            free(chunk);
        }
    }
    *it = (arena){.chunks = kept};
}

void *gh_alloc(size_t size) {
    return memset(gh_arena_alloc(gh_current_arena, size), 0, size);
}

char *gh_copy(const void *bytes, size_t length) {
    char *result = gh_arena_alloc(gh_current_arena, length + 1);
    if (length) memcpy(result, bytes, length);
    result[length] = 0;
    return result;
}

const char *gh_format(const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    if (length < 0) abort();
    char *text = gh_arena_alloc(gh_current_arena, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    va_end(arguments);
    return text;
}

const char *gh_join(const char *const *strings, const char *separator) {
    size_t length = 0;
    for (const char *const *it = strings; *it; it++) length += strlen(*it) + strlen(separator);
    char *text = gh_arena_alloc(gh_current_arena, length + 1), *end = text;
    for (const char *const *it = strings; *it; it++) {
        if (it != strings) end = stpcpy(end, separator);
        end = stpcpy(end, *it);
    }
    *end = 0;
    return text;
}

gh_bytes gh_bytes_of(const char *text) {
    return (gh_bytes){(const uint8_t *)text, text ? strlen(text) : 0};
}

size_t gh_sequence(const uint8_t *at, size_t left) {
    /* RFC 3629 section 4: the second byte's range keeps out long forms, surrogates and what is above U+10FFFF. */
    uint8_t first = *at, low = 0x80, high = 0xBF;
    size_t length = first < 0x80 ? 1 : first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
    if (first == 0xE0) low = 0xA0;
    if (first == 0xED) high = 0x9F;
    if (first == 0xF0) low = 0x90;
    if (first == 0xF4) high = 0x8F;
    if (length > left) return 0;
    for (size_t i = 1; i < length; i++, low = 0x80, high = 0xBF) {
        if (at[i] < low || at[i] > high) return 0;
    }
    return length;
}

const char *gh_text(gh_bytes bytes) {
    /* At worst each byte becomes the three of U+FFFD. */
    char *text = gh_arena_alloc(gh_current_arena, bytes.length * 3 + 1), *end = text;
    for (size_t i = 0, length; i < bytes.length; i += length ? length : 1) {
        length = bytes.data[i] ? gh_sequence(bytes.data + i, bytes.length - i) : 0;
        end = length ? (char *)memcpy(end, bytes.data + i, length) + length : stpcpy(end, REPLACEMENT);
    }
    *end = 0;
    return text;
}

const char *gh_percent_encode(const char *text) {
    char *encoded = gh_arena_alloc(gh_current_arena, strlen(text) * 3 + 1), *end = encoded;
    for (const uint8_t *at = (const uint8_t *)text; *at; at++) {
        int lower = *at | 0x20;
        bool plain = (lower >= 'a' && lower <= 'z' && *at < 0x80) || (*at >= '0' && *at <= '9') || strchr("-._~", *at);
        end += plain ? (*end = (char)*at, 1) : sprintf(end, "%%%02X", *at);
    }
    *end = 0;
    return encoded;
}

const char *gh_incoming(uint8_t *bytes, size_t length) {
    if (!length) return "";
    return memchr(bytes, 0, length) ? gh_text((gh_bytes){bytes, length}) : (const char *)bytes;
}

bool gh_narrow(const char *text, gh_bytes *bytes) {
    uint8_t *result = gh_arena_alloc(gh_current_arena, strlen(text) + 1), *end = result;
    for (const uint8_t *at = (const uint8_t *)text; *at; at++) {
        if (*at < 0x80) {
            *end++ = *at;
        } else if ((*at & 0xFE) == 0xC2 && (at[1] & 0xC0) == 0x80) {
            *end++ = (uint8_t)(*at << 6 | (at[1] & 0x3F));
            at++;
        } else {
            return false;
        }
    }
    *bytes = (gh_bytes){result, (size_t)(end - result)};
    return true;
}

const char *gh_widen(const uint8_t *bytes, size_t length) {
    char *text = gh_arena_alloc(gh_current_arena, length * 2 + 1), *end = text;
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] < 0x80) {
            *end++ = (char)bytes[i];
        } else {
            *end++ = (char)(0xC0 | bytes[i] >> 6);
            *end++ = (char)(0x80 | (bytes[i] & 0x3F));
        }
    }
    *end = 0;
    return text;
}
