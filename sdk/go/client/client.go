// Package client lets net/http send requests through the gateway: by its clients, and by libraries that take one.
//
// Needs asks = ["http"] in plugin.toml and the operator's grant. Natively, in tests, the requests go to the gateway's double.
package client

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"time"

	"gatehouse/internal/host"
)

// Transport is an http.RoundTripper whose requests the gateway sends. An answer is read whole before it is given.
type Transport struct {
	// Limit is the longest body of an answer that is taken: without one, 1 MiB.
	Limit int
}

// New is a client whose requests end after that time.
func New(timeout time.Duration) *http.Client {
	return &http.Client{Transport: Transport{}, Timeout: timeout}
}

// RoundTrip sends a request and waits for the whole answer. While it waits, no other goroutine of the instance runs, so the
// time that is left of the request's context is the gateway's limit for each of its waits.
func (t Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	outgoing, err := t.outgoing(request)
	if err != nil {
		return nil, err
	}
	answer, err := host.Send(outgoing)
	if err != nil {
		return nil, err
	}
	if err := request.Context().Err(); err != nil {
		return nil, err
	}
	headers := http.Header{}
	for _, field := range answer.Headers {
		headers.Add(field.Name, field.Value)
	}
	return &http.Response{
		Status:     fmt.Sprintf("%d %s", answer.Status, http.StatusText(answer.Status)),
		StatusCode: answer.Status,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        headers,
		Body:          io.NopCloser(bytes.NewReader(answer.Body)),
		ContentLength: int64(len(answer.Body)),
		Request:       request,
	}, nil
}

func (t Transport) outgoing(request *http.Request) (*host.HTTPRequest, error) {
	if err := request.Context().Err(); err != nil {
		return nil, err
	}
	outgoing := &host.HTTPRequest{
		Method: request.Method, Scheme: request.URL.Scheme, Authority: request.URL.Host,
		Target: request.URL.RequestURI(), Limit: t.Limit,
	}
	if outgoing.Method == "" {
		outgoing.Method = http.MethodGet
	}
	if outgoing.Limit == 0 {
		outgoing.Limit = 1 << 20
	}
	if deadline, ok := request.Context().Deadline(); ok {
		outgoing.Timeout = max(time.Until(deadline), time.Millisecond)
	}
	if request.Body != nil {
		defer request.Body.Close()
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return nil, err
		}
		outgoing.Body = body
	}
	for name, values := range request.Header {
		for _, value := range values {
			outgoing.Headers = append(outgoing.Headers, host.Field{Name: name, Value: value})
		}
	}
	return outgoing, nil
}
