//go:build !wasip1

package host

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
)

// Double answers in the place of the gateway. Package gatehousetest fills it and makes it the current one for a hook.
type Double struct {
	Method, Path, Scheme, Authority, Protocol, ClientIP, Route, ID string
	// Query is nil when there is none.
	Query           *string
	Headers         []Field
	PathParams      map[string]string
	Status          int
	ResponseHeaders []Field
	Attributes      []Field
	Outcome         Outcome
	// Reads has what was read of the request.
	Reads map[string]bool
	Gateway
}

// Outcome is what has become of an exchange, in the contract's units.
type Outcome struct {
	Started, Duration           uint64
	UpstreamDuration            *uint64
	RequestBytes, ResponseBytes uint64
	Verdict                     *string
	VerdictCached               bool
	Failure                     *string
}

// Gateway is what an exchange runs in.
type Gateway interface {
	Log(level int, line string)
	Output(line string)
	Bucket(name string) map[string][]byte
	Send(request *HTTPRequest) (HTTPResponse, error)
}

// Current is the double of the hook that runs.
var Current *Double

func current() *Double {
	if Current == nil {
		panic("the gateway was asked outside of a hook: in a test, call the plugin through package gatehousetest")
	}
	return Current
}

func read(what string) *Double {
	double := current()
	if double.Reads == nil {
		panic("the request was read outside of an exchange")
	}
	double.Reads[what] = true
	return double
}

func optional(value *string) (string, bool) {
	if value == nil {
		return "", false
	}
	return *value, true
}

func values(fields []Field, name string) []string {
	var all []string
	for _, field := range fields {
		if strings.EqualFold(field.Name, name) {
			all = append(all, field.Value)
		}
	}
	return all
}

func joined(fields []Field, name string) (string, bool) {
	all := values(fields, name)
	separator := ", "
	if strings.EqualFold(name, "cookie") {
		separator = "; "
	}
	return strings.Join(all, separator), len(all) > 0
}

func lower(fields []Field) []Field {
	all := make([]Field, 0, len(fields))
	for _, field := range fields {
		all = append(all, Field{strings.ToLower(field.Name), field.Value})
	}
	return all
}

func RequestMethod() string         { return read("method").Method }
func RequestPath() string           { return read("path").Path }
func RequestQuery() (string, bool)  { return optional(read("query").Query) }
func RequestScheme() string         { return read("scheme").Scheme }
func RequestAuthority() string      { return read("authority").Authority }
func RequestProtocol() string       { return read("protocol").Protocol }
func RequestClientIP() string       { return read("client-ip").ClientIP }
func RequestRoute() string          { return read("route").Route }
func RequestID() string             { return read("id").ID }
func RequestHeaders() []Field       { return lower(read("headers").Headers) }
func ResponseStatus() int           { return current().Status }
func ResponseHeaders() []Field      { return lower(current().ResponseHeaders) }
func OutcomeStarted() uint64        { return current().Outcome.Started }
func OutcomeDuration() uint64       { return current().Outcome.Duration }
func OutcomeRequestBytes() uint64   { return current().Outcome.RequestBytes }
func OutcomeResponseBytes() uint64  { return current().Outcome.ResponseBytes }
func OutcomeVerdictCached() bool    { return current().Outcome.VerdictCached }
func LogEnabled(int) bool           { return true }
func LogWrite(level int, it string) { current().Log(level, it) }

func RequestQueryParam(name string) (string, bool) {
	all := parameters(read("query-param:"+name), name)
	if len(all) == 0 {
		return "", false
	}
	return all[0], true
}

func RequestQueryParams(name string) []string {
	return parameters(read("query-params:"+name), name)
}

// As the gateway: a parameter that is malformed is still one.
func parameters(double *Double, name string) []string {
	query, _ := optional(double.Query)
	var all []string
	for _, pair := range strings.Split(query, "&") {
		key, value, _ := strings.Cut(pair, "=")
		if pair != "" && decoded(key) == name {
			all = append(all, decoded(value))
		}
	}
	return all
}

func decoded(text string) string {
	plain, err := url.QueryUnescape(text)
	if err != nil {
		return text
	}
	return strings.ToValidUTF8(plain, "\uFFFD")
}

func RequestPathParam(name string) (string, bool) {
	value, ok := read("path-param:" + name).PathParams[name]
	return value, ok
}

func RequestHeader(name string) (string, bool) {
	return joined(read("header:"+strings.ToLower(name)).Headers, name)
}

func RequestHeaderValues(name string) []string {
	return values(read("header-values:"+strings.ToLower(name)).Headers, name)
}

func RequestCookie(name string) (string, bool) {
	cookies, _ := joined(read("cookie:"+name).Headers, "cookie")
	for _, pair := range strings.Split(cookies, ";") {
		if key, value, ok := strings.Cut(strings.TrimSpace(pair), "="); ok && key == name {
			return value, true
		}
	}
	return "", false
}

func ResponseHeader(name string) (string, bool) { return joined(current().ResponseHeaders, name) }
func ResponseHeaderValues(name string) []string { return values(current().ResponseHeaders, name) }

func Attribute(name string) (string, bool) {
	for _, attribute := range read("attribute:" + name).Attributes {
		if attribute.Name == name {
			return attribute.Value, true
		}
	}
	return "", false
}

func Attributes() []Field { return read("attributes").Attributes }

func OutcomeUpstreamDuration() (uint64, bool) {
	if duration := current().Outcome.UpstreamDuration; duration != nil {
		return *duration, true
	}
	return 0, false
}

func OutcomeVerdict() (string, bool) { return optional(current().Outcome.Verdict) }
func OutcomeFailure() (string, bool) { return optional(current().Outcome.Failure) }

func WriteLine(line string) bool {
	current().Output(line)
	return true
}

// Send sends a request to another server.
func Send(request *HTTPRequest) (HTTPResponse, error) { return current().Send(request) }

// A bucket is looked up at each call: a plugin may keep it for longer than a test its gateway.
type bucket string

// Open opens a bucket.
func Open(name string) (Bucket, error) { return bucket(name), nil }

func (b bucket) state() map[string][]byte { return current().Bucket(string(b)) }

func (b bucket) Get(key string) ([]byte, bool, error) {
	value, ok := b.state()[key]
	return append([]byte(nil), value...), ok, nil
}

func (b bucket) Set(key string, value []byte) error {
	b.state()[key] = append([]byte(nil), value...)
	return nil
}

func (b bucket) Delete(key string) error {
	delete(b.state(), key)
	return nil
}

func (b bucket) Exists(key string) (bool, error) {
	_, ok := b.state()[key]
	return ok, nil
}

func (b bucket) Keys() ([]string, error) {
	var keys []string
	for key := range b.state() {
		keys = append(keys, key)
	}
	return keys, nil
}

func (b bucket) Increment(key string, delta int64) (int64, error) {
	old := int64(0)
	if text, ok := b.state()[key]; ok {
		number, err := strconv.ParseInt(string(text), 10, 64)
		if err != nil {
			return 0, errors.New("key-value store: not a number")
		}
		old = number
	}
	b.state()[key] = strconv.AppendInt(nil, old+delta, 10)
	return old + delta, nil
}
