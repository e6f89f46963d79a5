/* In a component: requests to other servers, over wasi:http. Whatever happens, no handle stays behind. */
#if defined(__wasm__) && defined(GH_ASK_HTTP)
#include "component.h"

#include <string.h>

#define H(name) wasi_http_types_##name
#define ERROR_CODE(name) WASI_HTTP_TYPES_ERROR_CODE_##name

/* What `blocking-write-and-flush` takes at once. */
#define WRITE 4096
#define READ 65536
#define LIMIT (1024 * 1024)

static gh_http_response failure(const char *what) {
    return (gh_http_response){.error = what};
}

/* The errors that an operator can do something about, by name. */
static const char *code(const H(error_code_t) *error) {
    switch (error->tag) {
    case ERROR_CODE(DNS_TIMEOUT):
    case ERROR_CODE(DNS_ERROR): return "the host's name was not found";
    case ERROR_CODE(DESTINATION_UNAVAILABLE):
    case ERROR_CODE(CONNECTION_REFUSED): return "the connection was refused";
    case ERROR_CODE(CONNECTION_TIMEOUT): return "no connection in time";
    case ERROR_CODE(HTTP_RESPONSE_TIMEOUT):
    case ERROR_CODE(CONNECTION_READ_TIMEOUT): return "no answer in time";
    case ERROR_CODE(HTTP_REQUEST_DENIED): return "the grant `http` does not allow it";
    case ERROR_CODE(TLS_PROTOCOL_ERROR):
    case ERROR_CODE(TLS_CERTIFICATE_ERROR): return "TLS failed";
    case ERROR_CODE(INTERNAL_ERROR):
        if (error->val.internal_error.is_some) {
            return gh_incoming(error->val.internal_error.val.ptr, error->val.internal_error.val.len);
        }
    }
    return gh_format("the request failed (wasi:http error %d)", error->tag);
}

/* Why a stream ended early; NULL when it was closed. */
static const char *broken(wasi_io_streams_stream_error_t error) {
    if (error.tag == WASI_IO_STREAMS_STREAM_ERROR_CLOSED) return NULL;
    plugin_string_t text;
    wasi_io_error_method_error_to_debug_string(wasi_io_error_borrow_error(error.val.last_operation_failed), &text);
    wasi_io_error_error_drop_own(error.val.last_operation_failed);
    return gh_incoming(text.ptr, text.len);
}

static const char *fields_of(const gh_field *headers, H(own_fields_t) *fields) {
    size_t count = 0;
    for (const gh_field *it = headers; it && it->name; it++) count++;
    H(list_tuple2_field_key_field_value_t) list = {gh_alloc((count + 1) * sizeof *list.ptr), count};
    for (size_t i = 0; i < count; i++) {
        gh_bytes value;
        if (!gh_narrow(headers[i].value, &value)) return gh_format("%s: a character is above U+00FF", headers[i].name);
        list.ptr[i].f0 = gh_outgoing(headers[i].name);
        list.ptr[i].f1 = (H(field_value_t)){(uint8_t *)value.data, value.length};
    }
    H(header_error_t) error;
    return H(static_fields_from_list)(&list, fields, &error) ? NULL : "a header was refused";
}

static H(method_t) method(const char *name) {
    static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"};
    if (!name) return (H(method_t)){.tag = 0};
    for (uint8_t tag = 0; tag < sizeof names / sizeof *names; tag++) {
        if (!strcmp(name, names[tag])) return (H(method_t)){.tag = tag};
    }
    H(method_t) other = {.tag = WASI_HTTP_TYPES_METHOD_OTHER};
    other.val.other = gh_outgoing(name);
    return other;
}

static const char *address(H(borrow_outgoing_request_t) request, const gh_http_request *from) {
    url_parts parts;
    const char *wrong = gh_url_split(from->url, &parts);
    if (wrong) return wrong;
    H(method_t) verb = method(from->method);
    H(scheme_t) scheme = {.tag = parts.https ? WASI_HTTP_TYPES_SCHEME_HTTPS : WASI_HTTP_TYPES_SCHEME_HTTP};
    plugin_string_t authority = gh_outgoing(parts.authority), path = gh_outgoing(parts.path);
    if (!H(method_outgoing_request_set_method)(request, &verb)) return "the method was refused";
    if (!H(method_outgoing_request_set_scheme)(request, &scheme)) return "the URL's scheme was refused";
    if (!H(method_outgoing_request_set_authority)(request, &authority)) return "the URL's host was refused";
    if (!H(method_outgoing_request_set_path_with_query)(request, &path)) return "the URL's path was refused";
    return NULL;
}

static H(own_request_options_t) options(uint32_t timeout) {
    H(own_request_options_t) made = H(constructor_request_options)();
    H(borrow_request_options_t) it = H(borrow_request_options)(made);
    H(duration_t) nanoseconds = (H(duration_t))timeout * 1000000;
    H(method_request_options_set_connect_timeout)(it, &nanoseconds);
    H(method_request_options_set_first_byte_timeout)(it, &nanoseconds);
    H(method_request_options_set_between_bytes_timeout)(it, &nanoseconds);
    return made;
}

static const char *write(H(own_outgoing_body_t) body, gh_bytes bytes) {
    wasi_io_streams_own_output_stream_t stream;
    const char *wrong = NULL;
    if (!H(method_outgoing_body_write)(H(borrow_outgoing_body)(body), &stream)) {
        H(outgoing_body_drop_own)(body);
        return "the body was refused";
    }
    for (size_t at = 0; at < bytes.length;) {
        size_t length = bytes.length - at < WRITE ? bytes.length - at : WRITE;
        plugin_list_u8_t piece = {(uint8_t *)bytes.data + at, length};
        wasi_io_streams_stream_error_t error;
        if (!wasi_io_streams_method_output_stream_blocking_write_and_flush(
                wasi_io_streams_borrow_output_stream(stream), &piece, &error)) {
            /* A server may answer before it has read everything. */
            wrong = broken(error);
            break;
        }
        at += length;
    }
    wasi_io_streams_output_stream_drop_own(stream);
    H(error_code_t) error;
    if (wrong) {
        H(outgoing_body_drop_own)(body);
    } else if (!H(static_outgoing_body_finish)(body, NULL, &error)) {
        wrong = code(&error);
    }
    return wrong;
}

static const gh_field *headers_of(H(borrow_incoming_response_t) response) {
    H(own_headers_t) headers = H(method_incoming_response_headers)(response);
    H(list_tuple2_field_key_field_value_t) list;
    H(method_fields_entries)(H(borrow_fields)(headers), &list);
    H(fields_drop_own)(headers);
    gh_field *fields = gh_alloc((list.len + 1) * sizeof *fields);
    for (size_t i = 0; i < list.len; i++) {
        char *name = gh_copy(list.ptr[i].f0.ptr, list.ptr[i].f0.len);
        for (char *at = name; *at; at++) *at |= *at >= 'A' && *at <= 'Z' ? 0x20 : 0;
        fields[i] = (gh_field){name, gh_widen(list.ptr[i].f1.ptr, list.ptr[i].f1.len)};
    }
    return fields;
}

/* All of a body, in one piece. */
static const char *read(H(borrow_incoming_body_t) body, size_t limit, gh_bytes *whole) {
    wasi_io_streams_own_input_stream_t stream;
    const char *wrong = NULL;
    size_t length = 0, room = 0;
    uint8_t *bytes = NULL;
    if (!H(method_incoming_body_stream)(body, &stream)) return "the body was taken before";
    for (;;) {
        plugin_list_u8_t piece;
        wasi_io_streams_stream_error_t error;
        if (!wasi_io_streams_method_input_stream_blocking_read(
                wasi_io_streams_borrow_input_stream(stream), READ, &piece, &error)) {
            wrong = broken(error);
            break;
        }
        if (length + piece.len > limit) {
            wrong = gh_format("the answer is longer than %zu bytes", limit);
            break;
        }
        if (length + piece.len + 1 > room) {
            room = (length + piece.len + 1) * 2;
            uint8_t *larger = gh_alloc(room);
            if (length) memcpy(larger, bytes, length);
            bytes = larger;
        }
        if (piece.len) memcpy(bytes + length, piece.ptr, piece.len);
        length += piece.len;
    }
    wasi_io_streams_input_stream_drop_own(stream);
    if (bytes) bytes[length] = 0;
    *whole = (gh_bytes){bytes ? bytes : (const uint8_t *)"", length};
    return wrong;
}

static gh_http_response answer(H(own_incoming_response_t) response, size_t limit) {
    H(borrow_incoming_response_t) it = H(borrow_incoming_response)(response);
    gh_http_response result = {.status = H(method_incoming_response_status)(it), .headers = headers_of(it)};
    H(own_incoming_body_t) body;
    if (H(method_incoming_response_consume)(it, &body)) {
        result.error = read(H(borrow_incoming_body)(body), limit ? limit : LIMIT, &result.body);
        H(incoming_body_drop_own)(body);
    } else {
        result.error = "the body was taken before";
    }
    H(incoming_response_drop_own)(response);
    return result.error ? failure(result.error) : result;
}

static gh_http_response wait(H(own_future_incoming_response_t) future, size_t limit) {
    H(borrow_future_incoming_response_t) it = H(borrow_future_incoming_response)(future);
    wasi_io_poll_own_pollable_t ready = H(method_future_incoming_response_subscribe)(it);
    wasi_io_poll_method_pollable_block(wasi_io_poll_borrow_pollable(ready));
    wasi_io_poll_pollable_drop_own(ready);
    H(result_result_own_incoming_response_error_code_void_t) got;
    bool some = H(method_future_incoming_response_get)(it, &got);
    H(future_incoming_response_drop_own)(future);
    if (!some || got.is_err) return failure("no answer");
    if (got.val.ok.is_err) return failure(code(&got.val.ok.val.err));
    return answer(got.val.ok.val.ok, limit);
}

gh_http_response gh_http_send(const gh_http_request *from) {
    H(own_fields_t) fields;
    H(own_outgoing_body_t) body;
    H(own_future_incoming_response_t) future;
    H(error_code_t) error;
    const char *wrong = fields_of(from->headers, &fields);
    if (wrong) return failure(wrong);
    H(own_outgoing_request_t) request = H(constructor_outgoing_request)(fields);
    wrong = address(H(borrow_outgoing_request)(request), from);
    if (!wrong && from->body.length && !H(method_outgoing_request_body)(H(borrow_outgoing_request)(request), &body)) {
        wrong = "the body was refused";
    }
    if (wrong) {
        H(outgoing_request_drop_own)(request);
        return failure(wrong);
    }
    /* Options only where they say something: each call with them costs the instance one of its handles (`limits.handles`) for
     * good, with the wasmtime of today. */
    H(own_request_options_t) how = {0};
    if (from->timeout) how = options(from->timeout);
    if (!wasi_http_outgoing_handler_handle(request, from->timeout ? &how : NULL, &future, &error)) {
        if (from->body.length) H(outgoing_body_drop_own)(body);
        return failure(code(&error));
    }
    if (from->body.length && (wrong = write(body, from->body))) {
        H(future_incoming_response_drop_own)(future);
        return failure(wrong);
    }
    return wait(future, from->limit);
}

#endif
