package gatehouse

import (
	"strings"
	"time"

	"gatehouse/internal/host"
)

// Field is a header field or an attribute.
//
// A header's value is in isomorphic encoding: a byte 0xNN on the wire is the character U+00NN, so plain text is itself.
type Field = host.Field

// Request is the request that is being served, as the plugins before this one have left it. It holds nothing: each read asks
// the gateway. While an authorizer runs, exactly what is read becomes the key under which its verdict is kept.
type Request struct{}

// Method is the method: GET.
func (Request) Method() string { return host.RequestMethod() }

// Path is in canonical form, without the query: the very string that routes are matched against.
func (Request) Path() string { return host.RequestPath() }

// Query is as sent, without the question mark.
func (Request) Query() (string, bool) { return host.RequestQuery() }

// QueryParam is the first value of a query parameter, decoded.
func (Request) QueryParam(name string) (string, bool) { return host.RequestQueryParam(name) }

// QueryParams has all values of a query parameter, decoded.
func (Request) QueryParams(name string) []string { return host.RequestQueryParams(name) }

// PathParam is what the route's path template caught: for /pets/{id}, PathParam("id").
func (Request) PathParam(name string) (string, bool) { return host.RequestPathParam(name) }

// Scheme is http or https.
func (Request) Scheme() string { return host.RequestScheme() }

// Authority is the host, and port if any, that the client asked for, in lower case.
func (Request) Authority() string { return host.RequestAuthority() }

// Protocol is HTTP/1.1 or HTTP/2.0.
func (Request) Protocol() string { return host.RequestProtocol() }

// Header is the value of a header; of several fields with that name all values, joined by ", ".
func (Request) Header(name string) (string, bool) { return host.RequestHeader(name) }

// HeaderValues has the values of all header fields with that name.
func (Request) HeaderValues(name string) []string { return host.RequestHeaderValues(name) }

// Headers has all header fields, with names in lower case. For an authorizer this makes every header part of the key.
func (Request) Headers() []Field { return host.RequestHeaders() }

// Cookie is the value of a cookie.
func (Request) Cookie(name string) (string, bool) { return host.RequestCookie(name) }

// Bearer is the token of "Authorization: Bearer TOKEN".
func (r Request) Bearer() (string, bool) {
	value, _ := r.Header("authorization")
	scheme, token, _ := strings.Cut(value, " ")
	token = strings.Trim(token, " \t")
	if !strings.EqualFold(scheme, "bearer") || token == "" {
		return "", false
	}
	return token, true
}

// ClientIP is the address of the client, without the port.
func (Request) ClientIP() string { return host.RequestClientIP() }

// Route is the name of the matched route.
func (Request) Route() string { return host.RequestRoute() }

// ID is the id of this exchange. It differs in every request: an authorizer that reads it gets no caching.
func (Request) ID() string { return host.RequestID() }

// Attribute is an attribute by its full name: auth.principal, PLUGIN.name. No client and no upstream can set one.
func (Request) Attribute(name string) (string, bool) { return host.Attribute(name) }

// Attributes has all attributes set so far.
func (Request) Attributes() []Field { return host.Attributes() }

// Response is the response that is on its way to the client. It holds nothing: each read asks the gateway.
type Response struct{}

// Status is the status code.
func (Response) Status() int { return host.ResponseStatus() }

// Header is the value of a header; of several fields with that name all values, joined by ", ".
func (Response) Header(name string) (string, bool) { return host.ResponseHeader(name) }

// HeaderValues has the values of all header fields with that name.
func (Response) HeaderValues(name string) []string { return host.ResponseHeaderValues(name) }

// Headers has all header fields, with names in lower case.
func (Response) Headers() []Field { return host.ResponseHeaders() }

// Outcome is what has become of the exchange. It holds nothing: each read asks the gateway.
type Outcome struct{}

// Started is when the request's header section had arrived.
func (Outcome) Started() time.Time { return time.UnixMilli(int64(host.OutcomeStarted())) }

// Duration is from then until the last byte of the answer was handed to the connection.
func (Outcome) Duration() time.Duration {
	return time.Duration(host.OutcomeDuration()) * time.Microsecond
}

// UpstreamDuration is from handing the request to the upstream until its header section came back.
func (Outcome) UpstreamDuration() (time.Duration, bool) {
	microseconds, ok := host.OutcomeUpstreamDuration()
	return time.Duration(microseconds) * time.Microsecond, ok
}

// RequestBytes are the bytes of the request's body that were read from the client.
func (Outcome) RequestBytes() uint64 { return host.OutcomeRequestBytes() }

// ResponseBytes are the bytes of the response's body that were handed to the connection.
func (Outcome) ResponseBytes() uint64 { return host.OutcomeResponseBytes() }

// Verdict is "allow" or "deny"; there is none when the route has no authorizer or it was not reached.
func (Outcome) Verdict() (string, bool) { return host.OutcomeVerdict() }

// VerdictCached tells whether every verdict came from the cache.
func (Outcome) VerdictCached() bool { return host.OutcomeVerdictCached() }

// Failure is the code of the failure that ended the exchange.
func (Outcome) Failure() (string, bool) { return host.OutcomeFailure() }
