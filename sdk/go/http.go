package gatehouse

import (
	"fmt"
	"strings"
	"time"

	"gatehouse/internal/host"
)

// HTTPRequest is a request to another server. What is left out has its default.
type HTTPRequest struct {
	// Method is GET without one.
	Method  string
	URL     string
	Headers []Field
	Body    []byte
	// Timeout is for the connection, for the answer's header section, and between bytes of its body.
	Timeout time.Duration
	// Limit is the longest body of an answer that is taken: without one, 1 MiB.
	Limit int
}

// HTTPResponse is the answer of another server, of whatever status. Names of headers are in lower case.
type HTTPResponse struct {
	Status  int
	Headers []Field
	Body    []byte
}

// Header is the first value of a header, or "".
func (r HTTPResponse) Header(name string) string {
	for _, field := range r.Headers {
		if strings.EqualFold(field.Name, name) {
			return field.Value
		}
	}
	return ""
}

// Send sends a request and waits for the whole answer; meanwhile the gateway serves other requests with other instances. Needs
// asks = ["http"] in plugin.toml and the grant.
//
// Package gatehouse/client does it for net/http, which makes a component three times as large.
func Send(request HTTPRequest) (HTTPResponse, error) {
	scheme, rest, ok := strings.Cut(request.URL, "://")
	if !ok {
		return HTTPResponse{}, fmt.Errorf("the URL has no scheme: %q", request.URL)
	}
	rest, _, _ = strings.Cut(rest, "#")
	authority, target := rest, ""
	if end := strings.IndexAny(rest, "/?"); end >= 0 {
		authority, target = rest[:end], rest[end:]
	}
	if !strings.HasPrefix(target, "/") {
		target = "/" + target
	}
	method, limit := request.Method, request.Limit
	if method == "" {
		method = "GET"
	}
	if limit == 0 {
		limit = 1 << 20
	}
	answer, err := host.Send(&host.HTTPRequest{
		Method: method, Scheme: strings.ToLower(scheme), Authority: authority, Target: target,
		Headers: request.Headers, Body: request.Body, Timeout: request.Timeout, Limit: limit,
	})
	return HTTPResponse(answer), err
}
