/* The reader of JSON: what it takes, what it refuses and where, and that no text makes it read beyond its end. */
#include "../gatehouse_test.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In memory of just its length: a sanitizer sees any byte read beyond. */
static gh_json parsed(const char *text, size_t length, const char **error) {
    uint8_t *bytes = malloc(length ? length : 1);
    memcpy(bytes, text, length);
    gh_json value = gh_json_parse((gh_bytes){bytes, length}, error);
    free(bytes);
    return value;
}

static gh_json good(const char *text) {
    const char *error = "";
    gh_json value = parsed(text, strlen(text), &error);
    if (!value) printf("%s: %s\n", text, error);
    assert(value && !error);
    return value;
}

static void refused(const char *text, const char *expected) {
    const char *error = NULL;
    gh_json value = parsed(text, strlen(text), &error);
    if (value || strcmp(error, expected)) printf("%s\n  is       %s\n  expected %s\n", text, error, expected);
    assert(!value && !strcmp(error, expected));
}

static void string_is(const char *text, const char *expected) {
    assert(!strcmp(gh_string(good(text)), expected));
}

static void values_are_read(void) {
    gh_json all = good(" {\"a\": [1, -2.5e2, true,false , null,\"x\"], \"b\": {}, \"a2\": [ ] }\n");
    gh_json items = gh_get(all, "a");
    assert(gh_kind(items) == GH_ARRAY && gh_kind(gh_get(all, "b")) == GH_OBJECT && !gh_first(gh_get(all, "b")));
    static const gh_json_kind kinds[] = {GH_NUMBER, GH_NUMBER, GH_BOOL, GH_BOOL, GH_NULL, GH_STRING};
    size_t count = 0;
    for (gh_json it = gh_first(items); it; it = gh_next(it)) assert(gh_kind(it) == kinds[count++] && !gh_key(it));
    assert(count == 6);
    assert(gh_number(gh_first(items), 0) == 1 && gh_number(gh_next(gh_first(items)), 0) == -250);
    assert(!strcmp(gh_key(gh_next(gh_first(all))), "b"));
    assert(gh_number(good("0"), 1) == 0 && gh_number(good("-0.1E+1"), 0) == -1 && gh_number(good("1e400"), 0) > 1e308);
    assert(gh_bool(good("true"), false) && !gh_bool(good("false"), true));
}

static void what_is_not_there_is_null_all_the_way(void) {
    gh_json none = gh_get(gh_get(good("{\"a\":1}"), "b"), "c");
    assert(!none && gh_kind(none) == GH_ABSENT && !gh_string(none) && !gh_first(none) && !gh_next(none) && !gh_key(none));
    assert(gh_number(none, 7) == 7 && gh_bool(none, true) && gh_number(good("\"7\""), 1) == 1 && !gh_string(good("7")));
    assert(!gh_get(good("[1]"), "a"));
}

static void the_last_member_of_a_name_counts(void) {
    assert(gh_number(gh_get(good("{\"a\":1,\"a\":2}"), "a"), 0) == 2);
}

static void escapes_and_surrogates(void) {
    string_is("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t");
    string_is("\"\\u0041\\u00e9\\u20AC\\ud83d\\uDE00\"", "A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
    string_is("\"\xC3\xA9\xF0\x9F\x98\x80\"", "\xC3\xA9\xF0\x9F\x98\x80");
    string_is("\"\\u007f\\u0080\\u07ff\\u0800\\uffff\"", "\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF");
    string_is("\"\\udbff\\udfff\"", "\xF4\x8F\xBF\xBF");
    /* A string of C cannot hold it. */
    string_is("\"a\\u0000b\"", "a\xEF\xBF\xBD" "b");
    string_is("\"\"", "");
    refused("\"\\ud83d\"", "an escape that is no character at byte 7");
    refused("\"\\ud83dx\"", "an escape that is no character at byte 7");
    refused("\"\\ud83d\\n\"", "an escape that is no character at byte 7");
    refused("\"\\ud83d\\u0041\"", "an escape that is no character at byte 13");
    refused("\"\\ude00\"", "an escape that is no character at byte 7");
    refused("\"\\u12\"", "an escape that is no character at byte 3");
    refused("\"\\u12g4\"", "an escape that is no character at byte 6");
    refused("\"\\x\"", "an escape that is none at byte 2");
}

static void malformed_texts_are_refused_with_the_place(void) {
    refused("", "the text ends at byte 0");
    refused(" \n", "the text ends at byte 2");
    refused("{", "no string at byte 1");
    refused("{\"a\"}", "no `:` at byte 4");
    refused("{\"a\":1,}", "no string at byte 7");
    refused("{\"a\":1 \"b\":2}", "no `,` or `}` at byte 7");
    refused("{a:1}", "no string at byte 1");
    refused("{'a':1}", "no string at byte 1");
    refused("[1,]", "no value at byte 3");
    refused("[1 2]", "no `,` or `]` at byte 3");
    refused("[", "the text ends at byte 1");
    refused("[1}", "no `,` or `]` at byte 2");
    refused("\"a", "the text ends within a string at byte 2");
    refused("\"a\\", "an escape that is none at byte 3");
    refused("\"a\nb\"", "a control character in a string at byte 2");
    refused("01", "more than one value at byte 1");
    refused("1 2", "more than one value at byte 2");
    refused("+1", "no value at byte 0");
    refused("-", "no value at byte 1");
    refused(".5", "no value at byte 0");
    refused("1.", "a number without digits after its point at byte 2");
    refused("1.e2", "a number without digits after its point at byte 2");
    refused("1e", "a number without digits in its exponent at byte 2");
    refused("0x10", "more than one value at byte 1");
    refused("NaN", "no value at byte 0");
    refused("tru", "no value at byte 0");
    refused("nulls", "more than one value at byte 4");
    refused("/* no */ 1", "no value at byte 0");
    refused("\xEF\xBB\xBF" "1", "no value at byte 0");
    /* A byte of its own, a long form, a surrogate, beyond U+10FFFF, cut short. */
    refused("\"\x80\"", "no UTF-8 at byte 1");
    refused("\"\xC0\xAF\"", "no UTF-8 at byte 1");
    refused("\"\xED\xA0\x80\"", "no UTF-8 at byte 1");
    refused("\"\xF4\x90\x80\x80\"", "no UTF-8 at byte 1");
    refused("\"\xE2\x82\"", "no UTF-8 at byte 1");
    const char *error;
    assert(!parsed("\"a\0b\"", 5, &error) && !strcmp(error, "a control character in a string at byte 2"));
    assert(!parsed("1\0", 2, &error) && !strcmp(error, "more than one value at byte 1"));
    assert(!gh_json_parse((gh_bytes){0}, NULL));
}

static void depth_is_limited(void) {
    char text[200000];
    memset(text, '[', 64);
    memset(text + 64, ']', 64);
    text[128] = 0;
    good(text);
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    text[130] = 0;
    refused(text, "too deep at byte 64");
    memset(text, '[', sizeof text);
    text[sizeof text - 1] = 0;
    refused(text, "too deep at byte 64");
}

/* Every text that is one change away from a good one: the sanitizers watch, the answer does not matter. */
static void no_change_of_a_text_does_harm(void) {
    static const char text[] = "{\"a\\u00e9\\ud83d\\ude00\":[1.5e-3,\"\xC3\xA9\\n\",{\"b\":null}],\"c\":true}";
    static const char bytes[] = "\"\\{}[],:u0e.-\x80\xC3\xF0 \n";
    for (size_t length = 0; length < sizeof text; length++) {
        parsed(text, length, NULL);
        for (size_t i = 0; i < sizeof bytes; i++) {
            char changed[sizeof text];
            memcpy(changed, text, sizeof text);
            if (length < sizeof text - 1) changed[length] = bytes[i];
            parsed(changed, sizeof text - 1, NULL);
        }
        gh_test_request("GET", "/");
    }
}

static void a_quoted_text_reads_as_itself(void) {
    const char *text = "a\"b\\c/\n\x01\x1F\xC3\xA9";
    assert(!strcmp(gh_quote("a\"\\\n\x01"), "\"a\\\"\\\\\\u000a\\u0001\""));
    string_is(gh_quote(text), text);
    assert(!strcmp(gh_quote(""), "\"\""));
}

static const char *text;
static double number;
static bool flag;
static gh_json list;

static const char *settings(const char *config) {
    const gh_setting known[] = {
        {"text", GH_STRING, &text, true},
        {"number", GH_NUMBER, &number, false},
        {"flag", GH_BOOL, &flag, false},
        {"list", GH_ARRAY, &list, false},
        {0},
    };
    return gh_test_show(gh_settings(good(config), known));
}

static void settings_are_read_and_checked(void) {
    number = 3;
    assert(!strcmp(settings("{\"text\":\"t\",\"flag\":true,\"list\":[1]}"), "unchanged"));
    assert(!strcmp(text, "t") && number == 3 && flag && gh_number(gh_first(list), 0) == 1);
    assert(!strcmp(settings("{}"), "error `text` is missing"));
    assert(!strcmp(settings("{\"text\":1}"), "error `text` is a number, not a string"));
    assert(!strcmp(settings("{\"text\":null}"), "error `text` is null, not a string"));
    assert(!strcmp(settings("{\"text\":\"\",\"list\":{}}"), "error `list` is an object, not an array"));
    assert(!strcmp(settings("{\"text\":\"\",\"colour\":1}"), "error `colour` is unknown"));
    assert(!strcmp(settings("[]"), "error the configuration is an array, not an object"));
}

int main(void) {
    values_are_read();
    what_is_not_there_is_null_all_the_way();
    the_last_member_of_a_name_counts();
    escapes_and_surrogates();
    malformed_texts_are_refused_with_the_place();
    depth_is_limited();
    no_change_of_a_text_does_harm();
    a_quoted_text_reads_as_itself();
    settings_are_read_and_checked();
}
