//go:build !wasip1

// Package gatehousetest has doubles of the gateway, to test a plugin with plain `go test`.
package gatehousetest

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sort"
	"strings"
	"sync"
	"time"

	"gatehouse"
	"gatehouse/internal/host"
)

// Gateway is the gateway around the exchanges of a test. Its zero value can be used.
type Gateway struct {
	// Server answers what the plugin sends to other servers; without it, sending fails.
	Server http.Handler
	// Sent has the requests that the plugin has sent: "GET http://profiles.example/alice".
	Sent []string
	// Log has the lines that the plugin has logged: "warn: no profile".
	Log []string
	// Output has the lines that the plugin has written to the output.
	Output []string
	// Buckets is the key-value state.
	Buckets map[string]map[string][]byte
}

// Start starts a plugin with a configuration, as the gateway does: JSON text, or a value that encoding/json writes.
func Start(plugin gatehouse.Plugin, config any) error { return (&Gateway{}).Start(plugin, config) }

// Start starts a plugin within this gateway.
func (g *Gateway) Start(plugin gatehouse.Plugin, config any) error {
	text, ok := config.(string)
	if !ok {
		bytes, err := json.Marshal(config)
		if err != nil {
			return err
		}
		text = string(bytes)
	}
	var err error
	run(&host.Double{Gateway: gateway{g}}, func() { err = plugin.Start(gatehouse.Config(text)) })
	return err
}

// Exchange is one request and what became of it. What is left out has a default.
type Exchange struct {
	Method string
	// Target is the path with the query: "/pets/1?x=y".
	Target  string
	Headers map[string]string
	// Fields are headers too, for several of one name.
	Fields []gatehouse.Field
	// PathParams is what the route's path template caught.
	PathParams map[string]string
	// Attributes have their full names: "auth.principal".
	Attributes                                       map[string]string
	Scheme, Authority, Protocol, ClientIP, Route, ID string

	Status          int
	ResponseHeaders map[string]string

	Started, Duration, UpstreamDuration time.Duration
	RequestBytes, ResponseBytes         uint64
	Verdict, Failure                    string
	VerdictCached                       bool

	// Gateway is what it runs in; without one the exchange gets one of its own.
	Gateway *Gateway

	reads map[string]bool
}

// Request is an exchange of a request with this method, target and headers.
func Request(method, target string, headers map[string]string) *Exchange {
	return &Exchange{Method: method, Target: target, Headers: headers}
}

// Reads tells what was read of the request so far, sorted: "header:authorization", "path". The gateway makes the key of a kept
// verdict of it.
func (e *Exchange) Reads() []string {
	all := make([]string, 0, len(e.reads))
	for what := range e.reads {
		all = append(all, what)
	}
	sort.Strings(all)
	return all
}

// Run runs code within this exchange.
func (e *Exchange) Run(code func()) { run(e.double(), code) }

// Authorize calls the hook of that name.
func (e *Exchange) Authorize(plugin gatehouse.Plugin) (verdict gatehouse.Verdict, err error) {
	e.Run(func() { verdict, err = plugin.Authorize(gatehouse.Request{}) })
	return
}

// OnRequest calls the hook of that name.
func (e *Exchange) OnRequest(plugin gatehouse.Plugin) (action gatehouse.RequestAction, err error) {
	e.Run(func() { action, err = plugin.OnRequest(gatehouse.Request{}) })
	return
}

// OnRequestBody calls the hook of that name if the plugin wants to see the body.
func (e *Exchange) OnRequestBody(plugin gatehouse.Plugin, body []byte) (action gatehouse.RequestAction, err error) {
	e.Run(func() {
		limit := plugin.RequestBodyLimit
		if limit == nil || limit(gatehouse.Request{}) >= 0 {
			action, err = plugin.OnRequestBody(gatehouse.Request{}, body)
		}
	})
	return
}

// OnRequestChunk calls the hook of that name.
func (e *Exchange) OnRequestChunk(plugin gatehouse.Plugin, chunk []byte, last bool) (action gatehouse.ChunkAction, err error) {
	e.Run(func() { action, err = plugin.OnRequestChunk(gatehouse.Request{}, chunk, last) })
	return
}

// OnResponse calls the hook of that name.
func (e *Exchange) OnResponse(plugin gatehouse.Plugin) (action gatehouse.ResponseAction, err error) {
	e.Run(func() { action, err = plugin.OnResponse(gatehouse.Request{}, gatehouse.Response{}) })
	return
}

// OnResponseBody calls the hook of that name if the plugin wants to see the body.
func (e *Exchange) OnResponseBody(plugin gatehouse.Plugin, body []byte) (action gatehouse.ResponseAction, err error) {
	e.Run(func() {
		limit := plugin.ResponseBodyLimit
		if limit == nil || limit(gatehouse.Request{}, gatehouse.Response{}) >= 0 {
			action, err = plugin.OnResponseBody(gatehouse.Request{}, gatehouse.Response{}, body)
		}
	})
	return
}

// OnResponseChunk calls the hook of that name.
func (e *Exchange) OnResponseChunk(plugin gatehouse.Plugin, chunk []byte, last bool) (action gatehouse.ChunkAction, err error) {
	e.Run(func() { action, err = plugin.OnResponseChunk(gatehouse.Request{}, gatehouse.Response{}, chunk, last) })
	return
}

// Log calls the hook of that name.
func (e *Exchange) Log(plugin gatehouse.Plugin) (err error) {
	e.Run(func() { err = plugin.Log(gatehouse.Request{}, gatehouse.Response{}, gatehouse.Outcome{}) })
	return
}

func (e *Exchange) double() *host.Double {
	if e.Gateway == nil {
		e.Gateway = &Gateway{}
	}
	if e.reads == nil {
		e.reads = map[string]bool{}
	}
	path, query, ok := strings.Cut(e.Target, "?")
	double := &host.Double{
		Method: or(e.Method, "GET"), Path: path, PathParams: e.PathParams,
		Scheme: or(e.Scheme, "http"), Authority: or(e.Authority, "localhost"), Protocol: or(e.Protocol, "HTTP/1.1"),
		ClientIP: or(e.ClientIP, "127.0.0.1"), Route: or(e.Route, "route"), ID: or(e.ID, "0123456789abcdef"),
		Headers: append(sorted(e.Headers), e.Fields...), Attributes: sorted(e.Attributes),
		Status: e.Status, ResponseHeaders: sorted(e.ResponseHeaders),
		Outcome: host.Outcome{
			Started: uint64(e.Started / time.Millisecond), Duration: uint64(e.Duration / time.Microsecond),
			RequestBytes: e.RequestBytes, ResponseBytes: e.ResponseBytes,
			Verdict: there(e.Verdict), VerdictCached: e.VerdictCached, Failure: there(e.Failure),
		},
		Reads: e.reads, Gateway: gateway{e.Gateway},
	}
	if ok {
		double.Query = &query
	}
	if e.UpstreamDuration != 0 {
		microseconds := uint64(e.UpstreamDuration / time.Microsecond)
		double.Outcome.UpstreamDuration = &microseconds
	}
	return double
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

func there(value string) *string {
	if value == "" {
		return nil
	}
	return &value
}

func sorted(values map[string]string) []host.Field {
	all := make([]host.Field, 0, len(values))
	for name, value := range values {
		all = append(all, host.Field{Name: name, Value: value})
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all
}

// One hook at a time, as in an instance.
var running sync.Mutex

func run(double *host.Double, code func()) {
	running.Lock()
	defer running.Unlock()
	host.Current = double
	defer func() { host.Current = nil }()
	code()
}

// gateway is what the doubles see of a Gateway.
type gateway struct{ *Gateway }

func (g gateway) Log(level int, line string) {
	names := [...]string{"trace", "debug", "info", "warn", "error"}
	g.Gateway.Log = append(g.Gateway.Log, names[level]+": "+line)
}

func (g gateway) Output(line string) { g.Gateway.Output = append(g.Gateway.Output, line) }

func (g gateway) Bucket(name string) map[string][]byte {
	if g.Buckets == nil {
		g.Buckets = map[string]map[string][]byte{}
	}
	if g.Buckets[name] == nil {
		g.Buckets[name] = map[string][]byte{}
	}
	return g.Buckets[name]
}

func (g gateway) Send(request *host.HTTPRequest) (host.HTTPResponse, error) {
	url := request.Scheme + "://" + request.Authority + request.Target
	g.Sent = append(g.Sent, request.Method+" "+url)
	if g.Server == nil {
		return host.HTTPResponse{}, errors.New("nothing answers " + url)
	}
	sent, err := http.NewRequest(request.Method, url, strings.NewReader(string(request.Body)))
	if err != nil {
		return host.HTTPResponse{}, err
	}
	for _, field := range request.Headers {
		sent.Header.Add(field.Name, field.Value)
	}
	recorder := httptest.NewRecorder()
	g.Server.ServeHTTP(recorder, sent)
	answer := recorder.Result()
	body, err := io.ReadAll(answer.Body)
	if len(body) > request.Limit {
		return host.HTTPResponse{}, errors.New("the answer's body is too long")
	}
	response := host.HTTPResponse{Status: answer.StatusCode, Body: body}
	for name, values := range answer.Header {
		for _, value := range values {
			response.Headers = append(response.Headers, host.Field{Name: strings.ToLower(name), Value: value})
		}
	}
	return response, err
}
