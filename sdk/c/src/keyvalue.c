/* In a component: state that the instances of a plugin share, over wasi:keyvalue. */
#if defined(__wasm__) && defined(GH_ASK_KEYVALUE)
#include "component.h"

typedef wasi_keyvalue_store_error_t store_error;
typedef wasi_keyvalue_store_borrow_bucket_t bucket_handle;

static const char *words(bool well, store_error error) {
    if (well) return NULL;
    switch (error.tag) {
    case WASI_KEYVALUE_STORE_ERROR_NO_SUCH_STORE: return "the key-value store is unknown";
    case WASI_KEYVALUE_STORE_ERROR_ACCESS_DENIED: return "access to the key-value store is denied";
    }
    return gh_format("key-value store: %s", gh_incoming(error.val.other.ptr, error.val.other.len));
}

/* Opens a bucket, does something with it as `it`, and lets go of it. */
#define WITHIN(name, call) \
    plugin_string_t identifier = gh_outgoing(name); \
    wasi_keyvalue_store_own_bucket_t handle; \
    store_error error = {0}; \
    if (!wasi_keyvalue_store_open(&identifier, &handle, &error)) return words(false, error); \
    bucket_handle it = wasi_keyvalue_store_borrow_bucket(handle); \
    bool well = call; \
    wasi_keyvalue_store_bucket_drop_own(handle)

const char *gh_kv_get(const char *bucket, const char *key, gh_bytes *value) {
    plugin_string_t name = gh_outgoing(key);
    plugin_option_list_u8_t got = {0};
    WITHIN(bucket, wasi_keyvalue_store_method_bucket_get(it, &name, &got, &error));
    *value = well && got.is_some ? (gh_bytes){got.val.ptr, got.val.len} : (gh_bytes){0};
    return words(well, error);
}

const char *gh_kv_set(const char *bucket, const char *key, gh_bytes value) {
    plugin_string_t name = gh_outgoing(key);
    plugin_list_u8_t bytes = {(uint8_t *)value.data, value.length};
    WITHIN(bucket, wasi_keyvalue_store_method_bucket_set(it, &name, &bytes, &error));
    return words(well, error);
}

const char *gh_kv_delete(const char *bucket, const char *key) {
    plugin_string_t name = gh_outgoing(key);
    WITHIN(bucket, wasi_keyvalue_store_method_bucket_delete(it, &name, &error));
    return words(well, error);
}

const char *gh_kv_keys(const char *bucket, const char *const **keys) {
    wasi_keyvalue_store_key_response_t page = {0};
    /* The gateway gives all keys at once. */
    WITHIN(bucket, wasi_keyvalue_store_method_bucket_list_keys(it, NULL, &page, &error));
    const char **list = gh_alloc((page.keys.len + 1) * sizeof *list);
    for (size_t i = 0; i < page.keys.len; i++) list[i] = gh_incoming(page.keys.ptr[i].ptr, page.keys.ptr[i].len);
    *keys = list;
    return words(well, error);
}

const char *gh_kv_increment(const char *bucket, const char *key, int64_t delta, int64_t *sum) {
    plugin_string_t name = gh_outgoing(key);
    int64_t new = 0;
    WITHIN(bucket, wasi_keyvalue_atomics_increment(it, &name, delta, &new, &error));
    if (sum) *sum = new;
    return words(well, error);
}

#endif
