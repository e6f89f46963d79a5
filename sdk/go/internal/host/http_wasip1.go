package host

import (
	"errors"
	"fmt"
	"unsafe"
)

//go:wasmimport wasi:http/types@0.2.0 [static]fields.from-list
func fieldsFromList(unsafe.Pointer, uint32, unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.0 [method]fields.entries
func fieldsEntries(int32, unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.0 [resource-drop]fields
func fieldsDrop(int32)

//go:wasmimport wasi:http/types@0.2.0 [constructor]outgoing-request
func outgoingRequest(int32) int32

//go:wasmimport wasi:http/types@0.2.0 [method]outgoing-request.set-method
func outgoingRequestSetMethod(int32, int32, string) int32

//go:wasmimport wasi:http/types@0.2.0 [method]outgoing-request.set-scheme
func outgoingRequestSetScheme(int32, int32, int32, string) int32

//go:wasmimport wasi:http/types@0.2.0 [method]outgoing-request.set-authority
func outgoingRequestSetAuthority(int32, int32, string) int32

//go:wasmimport wasi:http/types@0.2.0 [method]outgoing-request.set-path-with-query
func outgoingRequestSetPathWithQuery(int32, int32, string) int32

//go:wasmimport wasi:http/types@0.2.0 [method]outgoing-request.body
func outgoingRequestBody(int32, unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.0 [resource-drop]outgoing-request
func outgoingRequestDrop(int32)

//go:wasmimport wasi:http/types@0.2.0 [constructor]request-options
func requestOptions() int32

//go:wasmimport wasi:http/types@0.2.0 [method]request-options.set-connect-timeout
func requestOptionsSetConnectTimeout(int32, int32, int64) int32

//go:wasmimport wasi:http/types@0.2.0 [method]request-options.set-first-byte-timeout
func requestOptionsSetFirstByteTimeout(int32, int32, int64) int32

//go:wasmimport wasi:http/types@0.2.0 [method]request-options.set-between-bytes-timeout
func requestOptionsSetBetweenBytesTimeout(int32, int32, int64) int32

//go:wasmimport wasi:http/types@0.2.0 [method]outgoing-body.write
func outgoingBodyWrite(int32, unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.0 [static]outgoing-body.finish
func outgoingBodyFinish(int32, int32, int32, unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.0 [resource-drop]outgoing-body
func outgoingBodyDrop(int32)

//go:wasmimport wasi:http/outgoing-handler@0.2.0 handle
func outgoingHandlerHandle(int32, int32, int32, unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.0 [method]future-incoming-response.subscribe
func futureSubscribe(int32) int32

//go:wasmimport wasi:http/types@0.2.0 [method]future-incoming-response.get
func futureGet(int32, unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.0 [resource-drop]future-incoming-response
func futureDrop(int32)

//go:wasmimport wasi:http/types@0.2.0 [method]incoming-response.status
func incomingResponseStatus(int32) int32

//go:wasmimport wasi:http/types@0.2.0 [method]incoming-response.headers
func incomingResponseHeaders(int32) int32

//go:wasmimport wasi:http/types@0.2.0 [method]incoming-response.consume
func incomingResponseConsume(int32, unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.0 [resource-drop]incoming-response
func incomingResponseDrop(int32)

//go:wasmimport wasi:http/types@0.2.0 [method]incoming-body.stream
func incomingBodyStream(int32, unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.0 [resource-drop]incoming-body
func incomingBodyDrop(int32)

//go:wasmimport wasi:io/poll@0.2.0 [method]pollable.block
func pollableBlock(int32)

//go:wasmimport wasi:io/poll@0.2.0 [resource-drop]pollable
func pollableDrop(int32)

//go:wasmimport wasi:io/streams@0.2.0 [method]input-stream.blocking-read
func inputStreamBlockingRead(int32, int64, unsafe.Pointer)

//go:wasmimport wasi:io/streams@0.2.0 [resource-drop]input-stream
func inputStreamDrop(int32)

//go:wasmimport wasi:io/streams@0.2.0 [method]output-stream.blocking-write-and-flush
func outputStreamBlockingWriteAndFlush(int32, unsafe.Pointer, uint32, unsafe.Pointer)

//go:wasmimport wasi:io/streams@0.2.0 [resource-drop]output-stream
func outputStreamDrop(int32)

//go:wasmimport wasi:io/error@0.2.0 [method]error.to-debug-string
func errorToDebugString(int32, unsafe.Pointer)

//go:wasmimport wasi:io/error@0.2.0 [resource-drop]error
func errorDrop(int32)

const (
	// What a stream takes at once.
	most = 4096
	// What is read at once.
	piece = 64 << 10
)

// Send sends a request to another server and waits for the whole answer. Meanwhile the gateway serves other requests with
// other instances. Each handle is given back, whatever happens: an instance has a limited number.
func Send(request *HTTPRequest) (HTTPResponse, error) {
	outgoing, err := outgoing(request)
	if err != nil {
		return HTTPResponse{}, err
	}
	body := int32(-1)
	if len(request.Body) > 0 {
		outgoingRequestBody(outgoing, result())
		if set(0) {
			outgoingRequestDrop(outgoing)
			return HTTPResponse{}, errors.New("the body was refused")
		}
		body = int32(area.words[1])
	}
	options := int32(0)
	if request.Timeout > 0 {
		options = requestOptions()
		_ = requestOptionsSetConnectTimeout(options, 1, int64(request.Timeout))
		_ = requestOptionsSetFirstByteTimeout(options, 1, int64(request.Timeout))
		_ = requestOptionsSetBetweenBytesTimeout(options, 1, int64(request.Timeout))
	}
	// The request and its options go over to the gateway.
	outgoingHandlerHandle(outgoing, flag(request.Timeout > 0), options, result())
	if set(0) {
		err := errorCode(2)
		if body >= 0 {
			outgoingBodyDrop(body)
		}
		return HTTPResponse{}, err
	}
	future := int32(area.words[2])
	defer futureDrop(future)
	if body >= 0 {
		if err := write(body, request.Body); err != nil {
			return HTTPResponse{}, err
		}
	}
	incoming, err := wait(future)
	if err != nil {
		return HTTPResponse{}, err
	}
	defer incomingResponseDrop(incoming)
	answer := HTTPResponse{Status: int(incomingResponseStatus(incoming)), Headers: headers(incoming)}
	answer.Body, err = content(incoming, request.Limit)
	return answer, err
}

func flag(is bool) int32 {
	if is {
		return 1
	}
	return 0
}

// The request without its body.
func outgoing(request *HTTPRequest) (int32, error) {
	list := &Words{}
	for _, field := range request.Headers {
		value := make([]byte, 0, len(field.Value))
		for _, r := range field.Value {
			if r > 0xff {
				return 0, fmt.Errorf("header %s: a character is above U+00FF", field.Name)
			}
			value = append(value, byte(r))
		}
		list.Text(field.Name)
		list.Bytes(value)
	}
	fieldsFromList(unsafe.Pointer(unsafe.SliceData(list.words)), uint32(len(request.Headers)), result())
	if set(0) {
		why := [...]string{"a name or value is malformed", "one is the gateway's to set", "they are immutable"}
		return 0, errors.New("the headers were refused: " + why[min(area.words[1]&0xff, 2)])
	}
	outgoing := outgoingRequest(int32(area.words[1]))
	refused := ""
	switch scheme := request.Scheme; {
	case scheme != "http" && scheme != "https":
		refused = "scheme"
	// The method by its name is the last of the variant's cases; the gateway takes it for the others.
	case outgoingRequestSetMethod(outgoing, 9, valid(request.Method)) != 0:
		refused = "method"
	case outgoingRequestSetScheme(outgoing, 1, flag(scheme == "https"), "") != 0:
		refused = "scheme"
	case outgoingRequestSetAuthority(outgoing, 1, valid(request.Authority)) != 0:
		refused = "host"
	case outgoingRequestSetPathWithQuery(outgoing, 1, valid(request.Target)) != 0:
		refused = "path"
	default:
		return outgoing, nil
	}
	outgoingRequestDrop(outgoing)
	return 0, fmt.Errorf("the %s was refused", refused)
}

func write(body int32, bytes []byte) error {
	outgoingBodyWrite(body, result())
	if set(0) {
		outgoingBodyDrop(body)
		return errors.New("the body was refused")
	}
	stream := int32(area.words[1])
	for len(bytes) > 0 {
		next := bytes[:min(len(bytes), most)]
		bytes = bytes[len(next):]
		outputStreamBlockingWriteAndFlush(stream, unsafe.Pointer(unsafe.SliceData(next)), uint32(len(next)), result())
		if set(0) {
			closed, why := streamError()
			outputStreamDrop(stream)
			outgoingBodyDrop(body)
			if closed {
				// The server does not want more; its answer says why.
				return nil
			}
			return fmt.Errorf("sending the body: %s", why)
		}
	}
	outputStreamDrop(stream)
	outgoingBodyFinish(body, 0, 0, result())
	if set(0) {
		return errorCode(2)
	}
	return nil
}

// The handle of the answer.
func wait(future int32) (int32, error) {
	pollable := futureSubscribe(future)
	pollableBlock(pollable)
	pollableDrop(pollable)
	futureGet(future, result())
	switch {
	case !set(0) || set(2):
		return 0, errors.New("there is no answer")
	case set(4):
		return 0, errorCode(6)
	default:
		return int32(area.words[6]), nil
	}
}

func headers(incoming int32) []Field {
	handle := incomingResponseHeaders(incoming)
	fieldsEntries(handle, result())
	all := make([]Field, 0)
	for _, it := range items[[2]span](at(0)) {
		value := make([]rune, 0, it[1].length)
		for _, b := range it[1].bytes() {
			value = append(value, rune(b))
		}
		all = append(all, Field{Name: it[0].text(), Value: string(value)})
	}
	release()
	fieldsDrop(handle)
	return all
}

func content(incoming int32, limit int) ([]byte, error) {
	incomingResponseConsume(incoming, result())
	if set(0) {
		return nil, errors.New("the answer's body was taken before")
	}
	body := int32(area.words[1])
	defer incomingBodyDrop(body)
	incomingBodyStream(body, result())
	if set(0) {
		return nil, errors.New("the answer's body was taken before")
	}
	stream := int32(area.words[1])
	defer inputStreamDrop(stream)
	var bytes []byte
	for {
		inputStreamBlockingRead(stream, piece, result())
		if set(0) {
			closed, why := streamError()
			if closed {
				return bytes, nil
			}
			return nil, fmt.Errorf("reading the answer's body: %s", why)
		}
		bytes = append(bytes, at(1).bytes()...)
		release()
		if len(bytes) > limit {
			return nil, fmt.Errorf("the answer's body is longer than %d bytes", limit)
		}
	}
}

// The error of a stream in the area: whether it is its end, or what went wrong.
func streamError() (closed bool, why string) {
	if set(1) {
		return true, ""
	}
	handle := int32(area.words[2])
	errorToDebugString(handle, result())
	why = text()
	errorDrop(handle)
	return false, why
}

// The cases of wasi:http's error-code, in their order.
var errorCodes = [...]string{
	"DNS timeout", "DNS error", "destination not found", "destination unavailable", "destination IP prohibited",
	"destination IP unroutable", "connection refused", "connection terminated", "connection timeout",
	"connection read timeout", "connection write timeout", "connection limit reached", "TLS protocol error",
	"TLS certificate error", "TLS alert received", "HTTP request denied", "HTTP request length required",
	"HTTP request body size", "HTTP request method invalid", "HTTP request URI invalid", "HTTP request URI too long",
	"HTTP request header section size", "HTTP request header size", "HTTP request trailer section size",
	"HTTP request trailer size", "HTTP response incomplete", "HTTP response header section size",
	"HTTP response header size", "HTTP response body size", "HTTP response trailer section size",
	"HTTP response trailer size", "HTTP response transfer coding", "HTTP response content coding",
	"HTTP response timeout", "HTTP upgrade failed", "HTTP protocol error", "loop detected", "configuration error",
	"internal error",
}

// The error code at a word of the area. The last case may have a text.
func errorCode(word int) error {
	defer release()
	code := int(byte(area.words[word]))
	if code >= len(errorCodes) {
		return errors.New("an unknown error")
	}
	name := errorCodes[code]
	if code == len(errorCodes)-1 && set(word+2) {
		name = at(word + 3).text()
	}
	return errors.New(name)
}
