// Package gatehouse makes plugins for the Gatehouse API gateway.
//
// A plugin is a package main that registers its hooks:
//
//	func init() { gatehouse.Register(plugin) }
//
// README.md has an example; gatehouse/gatehousetest tests plugins without a gateway.
package gatehouse

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Plugin has the hooks of a plugin: those that plugin.toml lists, nil for the others.
//
// An error that a hook returns is a fault of the plugin, for the log and never for the client. So is a panic, with its place.
// Variables live as long as the instance, which serves many requests, one after the other.
type Plugin struct {
	// Init takes the configuration, once in each new instance before any other hook. An error refuses the configuration; its
	// text is shown to the operator. Without Init any key is refused.
	Init func(config Config) error

	// Authorize decides whether a request may pass. Exactly what it reads of the request is the key under which the gateway
	// keeps the verdict: read what the decision needs, and no more.
	Authorize func(request Request) (Verdict, error)

	// OnRequest sees the header section of a request, after the authorizers. nil leaves it unchanged.
	OnRequest func(request Request) (RequestAction, error)

	// RequestBodyLimit tells how many bytes of this request's body the plugin wants to see; a longer one is refused with 413.
	// NoBody leaves the body alone. Without this function it is WholeBody.
	RequestBodyLimit func(request Request) int64
	// OnRequestBody sees a whole request body, empty when there is none.
	OnRequestBody func(request Request, body []byte) (RequestAction, error)

	// OnRequestChunk sees each piece of a request body in order, and once the last, then possibly an empty piece. The instance
	// stays with this request until then, so variables may keep state between pieces.
	OnRequestChunk func(request Request, chunk []byte, last bool) (ChunkAction, error)

	// OnResponse sees the header section of a response that an upstream or a filter made.
	OnResponse func(request Request, response Response) (ResponseAction, error)

	// ResponseBodyLimit is as RequestBodyLimit; a longer body is a 502.
	ResponseBodyLimit func(request Request, response Response) int64
	// OnResponseBody sees a whole response body.
	OnResponseBody func(request Request, response Response, body []byte) (ResponseAction, error)

	// OnResponseChunk sees each piece of a response body, as OnRequestChunk.
	OnResponseChunk func(request Request, response Response, chunk []byte, last bool) (ChunkAction, error)

	// Log is told of an exchange that has ended (the hook logger). An error drops this line and is counted.
	Log func(request Request, response Response, outcome Outcome) error
}

const (
	// NoBody is for bodies that a plugin does not want to see.
	NoBody = -1
	// WholeBody is as much as the operator's limits.body allows.
	WholeBody = 1<<63 - 1
)

var registered *Plugin

// Register makes the plugin that of this program. It is called in an init function: main is not run in a component.
func Register(plugin Plugin) { registered = &plugin }

// Config is what the operator writes under [plugins.NAME.config], as JSON text: an object.
type Config []byte

// Decode reads it into a struct, as encoding/json does. A key that the struct does not have is an error.
func (c Config) Decode(into any) error {
	decoder := json.NewDecoder(bytes.NewReader(c))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errors.New("there is something after the configuration")
	}
	return nil
}

// Start hands a plugin its configuration, as the gateway does; for package gatehousetest.
func (p Plugin) Start(config Config) error {
	if p.Init == nil {
		return config.Decode(&struct{}{})
	}
	return p.Init(config)
}

// missing tells what is wrong with the hooks that plugin.toml lists.
func (p Plugin) missing(hooks []string) error {
	for _, hook := range []struct {
		name, function string
		there          bool
	}{
		{"authorizer", "Authorize", p.Authorize != nil},
		{"request-filter", "OnRequest", p.OnRequest != nil},
		{"request-body-filter", "OnRequestBody", p.OnRequestBody != nil},
		{"request-chunk-filter", "OnRequestChunk", p.OnRequestChunk != nil},
		{"response-filter", "OnResponse", p.OnResponse != nil},
		{"response-body-filter", "OnResponseBody", p.OnResponseBody != nil},
		{"response-chunk-filter", "OnResponseChunk", p.OnResponseChunk != nil},
		{"logger", "Log", p.Log != nil},
	} {
		listed := false
		for _, name := range hooks {
			listed = listed || name == hook.name
		}
		switch {
		case listed && !hook.there:
			return fmt.Errorf("plugin.toml lists the hook %s, but the plugin has no %s", hook.name, hook.function)
		case !listed && hook.there:
			return fmt.Errorf("the plugin has %s, but plugin.toml does not list the hook %s", hook.function, hook.name)
		}
	}
	return nil
}
