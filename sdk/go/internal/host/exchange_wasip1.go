package host

import "unsafe"

//go:wasmimport gatehouse:plugin/request@0.1.0 method
func requestMethod(unsafe.Pointer)

//go:wasmimport gatehouse:plugin/request@0.1.0 path
func requestPath(unsafe.Pointer)

//go:wasmimport gatehouse:plugin/request@0.1.0 query
func requestQuery(unsafe.Pointer)

//go:wasmimport gatehouse:plugin/request@0.1.0 query-param
func requestQueryParam(string, unsafe.Pointer)

//go:wasmimport gatehouse:plugin/request@0.1.0 query-params
func requestQueryParams(string, unsafe.Pointer)

//go:wasmimport gatehouse:plugin/request@0.1.0 path-param
func requestPathParam(string, unsafe.Pointer)

//go:wasmimport gatehouse:plugin/request@0.1.0 scheme
func requestScheme(unsafe.Pointer)

//go:wasmimport gatehouse:plugin/request@0.1.0 authority
func requestAuthority(unsafe.Pointer)

//go:wasmimport gatehouse:plugin/request@0.1.0 protocol
func requestProtocol(unsafe.Pointer)

//go:wasmimport gatehouse:plugin/request@0.1.0 header
func requestHeader(string, unsafe.Pointer)

//go:wasmimport gatehouse:plugin/request@0.1.0 header-values
func requestHeaderValues(string, unsafe.Pointer)

//go:wasmimport gatehouse:plugin/request@0.1.0 headers
func requestHeaders(unsafe.Pointer)

//go:wasmimport gatehouse:plugin/request@0.1.0 cookie
func requestCookie(string, unsafe.Pointer)

//go:wasmimport gatehouse:plugin/request@0.1.0 client-ip
func requestClientIP(unsafe.Pointer)

//go:wasmimport gatehouse:plugin/request@0.1.0 route
func requestRoute(unsafe.Pointer)

//go:wasmimport gatehouse:plugin/request@0.1.0 id
func requestID(unsafe.Pointer)

//go:wasmimport gatehouse:plugin/response@0.1.0 status
func responseStatus() int32

//go:wasmimport gatehouse:plugin/response@0.1.0 header
func responseHeader(string, unsafe.Pointer)

//go:wasmimport gatehouse:plugin/response@0.1.0 header-values
func responseHeaderValues(string, unsafe.Pointer)

//go:wasmimport gatehouse:plugin/response@0.1.0 headers
func responseHeaders(unsafe.Pointer)

//go:wasmimport gatehouse:plugin/attributes@0.1.0 get
func attributesGet(string, unsafe.Pointer)

//go:wasmimport gatehouse:plugin/attributes@0.1.0 all
func attributesAll(unsafe.Pointer)

//go:wasmimport gatehouse:plugin/outcome@0.1.0 started
func outcomeStarted() uint64

//go:wasmimport gatehouse:plugin/outcome@0.1.0 duration
func outcomeDuration() uint64

//go:wasmimport gatehouse:plugin/outcome@0.1.0 upstream-duration
func outcomeUpstreamDuration(unsafe.Pointer)

//go:wasmimport gatehouse:plugin/outcome@0.1.0 request-bytes
func outcomeRequestBytes() uint64

//go:wasmimport gatehouse:plugin/outcome@0.1.0 response-bytes
func outcomeResponseBytes() uint64

//go:wasmimport gatehouse:plugin/outcome@0.1.0 verdict
func outcomeVerdict(unsafe.Pointer)

//go:wasmimport gatehouse:plugin/outcome@0.1.0 verdict-cached
func outcomeVerdictCached() bool

//go:wasmimport gatehouse:plugin/outcome@0.1.0 failure
func outcomeFailure(unsafe.Pointer)

//go:wasmimport gatehouse:plugin/log@0.1.0 enabled
func logEnabled(int32) bool

//go:wasmimport gatehouse:plugin/log@0.1.0 write
func logWrite(int32, string)

//go:wasmimport gatehouse:plugin/output@0.1.0 write-line
func outputWriteLine(string) bool

func RequestMethod() string {
	requestMethod(result())
	return text()
}

func RequestPath() string {
	requestPath(result())
	return text()
}

func RequestQuery() (string, bool) {
	requestQuery(result())
	return optional()
}

func RequestQueryParam(name string) (string, bool) {
	requestQueryParam(valid(name), result())
	return optional()
}

func RequestQueryParams(name string) []string {
	requestQueryParams(valid(name), result())
	return texts(at(0))
}

func RequestPathParam(name string) (string, bool) {
	requestPathParam(valid(name), result())
	return optional()
}

func RequestScheme() string {
	requestScheme(result())
	return text()
}

func RequestAuthority() string {
	requestAuthority(result())
	return text()
}

func RequestProtocol() string {
	requestProtocol(result())
	return text()
}

func RequestHeader(name string) (string, bool) {
	requestHeader(valid(name), result())
	return optional()
}

func RequestHeaderValues(name string) []string {
	requestHeaderValues(valid(name), result())
	return texts(at(0))
}

func RequestHeaders() []Field {
	requestHeaders(result())
	return fields()
}

func RequestCookie(name string) (string, bool) {
	requestCookie(valid(name), result())
	return optional()
}

func RequestClientIP() string {
	requestClientIP(result())
	return text()
}

func RequestRoute() string {
	requestRoute(result())
	return text()
}

func RequestID() string {
	requestID(result())
	return text()
}

func ResponseStatus() int { return int(responseStatus()) }

func ResponseHeader(name string) (string, bool) {
	responseHeader(valid(name), result())
	return optional()
}

func ResponseHeaderValues(name string) []string {
	responseHeaderValues(valid(name), result())
	return texts(at(0))
}

func ResponseHeaders() []Field {
	responseHeaders(result())
	return fields()
}

func Attribute(name string) (string, bool) {
	attributesGet(valid(name), result())
	return optional()
}

func Attributes() []Field {
	attributesAll(result())
	return fields()
}

// OutcomeStarted is in milliseconds since 1970, the durations are in microseconds.
func OutcomeStarted() uint64  { return outcomeStarted() }
func OutcomeDuration() uint64 { return outcomeDuration() }

func OutcomeUpstreamDuration() (uint64, bool) {
	outcomeUpstreamDuration(result())
	return wide(2), set(0)
}

func OutcomeRequestBytes() uint64  { return outcomeRequestBytes() }
func OutcomeResponseBytes() uint64 { return outcomeResponseBytes() }

func OutcomeVerdict() (string, bool) {
	outcomeVerdict(result())
	return optional()
}

func OutcomeVerdictCached() bool { return outcomeVerdictCached() }

func OutcomeFailure() (string, bool) {
	outcomeFailure(result())
	return optional()
}

func LogEnabled(level int) bool       { return logEnabled(int32(level)) }
func LogWrite(level int, line string) { logWrite(int32(level), valid(line)) }
func WriteLine(line string) bool      { return outputWriteLine(valid(line)) }
