package gatehouse

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
	"unsafe"

	"gatehouse/internal/host"
)

// What the component says of itself: `gatehouse plugin build` adds a file that sets it from plugin.toml.
var manifest struct {
	name, version, description, schema string
	hooks                              []string
}

// What a hook has returned is written as words of the contract: the functions below follow the order of its records.

//go:wasmexport gatehouse:plugin/lifecycle@0.1.0#describe
func exportDescribe() unsafe.Pointer {
	w := host.Answer()
	w.Text(manifest.name)
	w.Text(manifest.version)
	w.Text(manifest.description)
	optional(w, manifest.schema, manifest.schema != "")
	return w.Done()
}

//go:wasmexport gatehouse:plugin/lifecycle@0.1.0#init
func exportInit(config unsafe.Pointer, length uint32) unsafe.Pointer {
	return answer(nothing(start(host.Argument(config, length))))
}

//go:wasmexport gatehouse:plugin/authorizer@0.1.0#authorize
func exportAuthorize() unsafe.Pointer {
	return answer(verdict(guarded(func() (Verdict, error) { return registered.Authorize(Request{}) })))
}

//go:wasmexport gatehouse:plugin/request-filter@0.1.0#on-request
func exportOnRequest() unsafe.Pointer {
	action, err := guarded(func() (RequestAction, error) { return registered.OnRequest(Request{}) })
	return answer(requestAction(action, err, false))
}

//go:wasmexport gatehouse:plugin/request-body-filter@0.1.0#request-body-limit
func exportRequestBodyLimit() unsafe.Pointer {
	if registered.RequestBodyLimit == nil {
		return limit(WholeBody)
	}
	return limit(registered.RequestBodyLimit(Request{}))
}

//go:wasmexport gatehouse:plugin/request-body-filter@0.1.0#on-request-body
func exportOnRequestBody(at unsafe.Pointer, length uint32) unsafe.Pointer {
	body := host.Argument(at, length)
	action, err := guarded(func() (RequestAction, error) { return registered.OnRequestBody(Request{}, body) })
	return answer(requestAction(action, err, true))
}

//go:wasmexport gatehouse:plugin/request-chunk-filter@0.1.0#on-request-chunk
func exportOnRequestChunk(at unsafe.Pointer, length uint32, last bool) unsafe.Pointer {
	chunk := host.Argument(at, length)
	return answer(chunkAction(guarded(func() (ChunkAction, error) {
		return registered.OnRequestChunk(Request{}, chunk, last)
	})))
}

//go:wasmexport gatehouse:plugin/response-filter@0.1.0#on-response
func exportOnResponse() unsafe.Pointer {
	action, err := guarded(func() (ResponseAction, error) { return registered.OnResponse(Request{}, Response{}) })
	return answer(responseAction(action, err, false))
}

//go:wasmexport gatehouse:plugin/response-body-filter@0.1.0#response-body-limit
func exportResponseBodyLimit() unsafe.Pointer {
	if registered.ResponseBodyLimit == nil {
		return limit(WholeBody)
	}
	return limit(registered.ResponseBodyLimit(Request{}, Response{}))
}

//go:wasmexport gatehouse:plugin/response-body-filter@0.1.0#on-response-body
func exportOnResponseBody(at unsafe.Pointer, length uint32) unsafe.Pointer {
	body := host.Argument(at, length)
	action, err := guarded(func() (ResponseAction, error) {
		return registered.OnResponseBody(Request{}, Response{}, body)
	})
	return answer(responseAction(action, err, true))
}

//go:wasmexport gatehouse:plugin/response-chunk-filter@0.1.0#on-response-chunk
func exportOnResponseChunk(at unsafe.Pointer, length uint32, last bool) unsafe.Pointer {
	chunk := host.Argument(at, length)
	return answer(chunkAction(guarded(func() (ChunkAction, error) {
		return registered.OnResponseChunk(Request{}, Response{}, chunk, last)
	})))
}

//go:wasmexport gatehouse:plugin/logger@0.1.0#log
func exportLog() unsafe.Pointer {
	_, err := guarded(func() (any, error) { return nil, registered.Log(Request{}, Response{}, Outcome{}) })
	return answer(nothing(err))
}

func start(config Config) error {
	if registered == nil {
		return errors.New("no plugin is registered: gatehouse.Register is called in an init function")
	}
	if err := registered.missing(manifest.hooks); err != nil {
		return err
	}
	_, err := guarded(func() (any, error) { return nil, registered.Start(config) })
	return err
}

// What a hook returns, with a panic as its error.
func guarded[T any](hook func() (T, error)) (result T, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("panic: %v (%s)", panicked, place())
		}
	}()
	return hook()
}

// Where the code of the plugin was when it panicked: the innermost function that is not the runtime's. It is called by what
// is deferred, which the runtime calls on top of the function that panicked.
func place() string {
	callers := make([]uintptr, 32)
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers)])
	for panicked := false; ; {
		frame, more := frames.Next()
		if panicked && !strings.HasPrefix(frame.Function, "runtime.") {
			return fmt.Sprintf("%s:%d, %s", filepath.Base(frame.File), frame.Line, frame.Function)
		}
		panicked = panicked || frame.Function == "runtime.gopanic"
		if !more {
			return "at an unknown place"
		}
	}
}

// writer writes what comes after the word for success; nil is a failure with the error.
type writer func(w *host.Words)

func answer(write writer, err error) unsafe.Pointer {
	w := host.Answer()
	if err != nil {
		w.Add(1)
		w.Text(err.Error())
		return w.Done()
	}
	w.Add(0)
	write(w)
	return w.Done()
}

func nothing(err error) (writer, error) { return func(*host.Words) {}, err }

func limit(bytes int64) unsafe.Pointer {
	w := host.Answer()
	if bytes >= 0 {
		w.Add(1, 0, uint32(bytes), uint32(bytes>>32))
	} else {
		w.Add(0)
	}
	return w.Done()
}

func verdict(verdict Verdict, err error) (writer, error) {
	switch it := verdict.(type) {
	case Allow:
		return func(w *host.Words) {
			w.Add(0)
			optional(w, it.Principal, it.Principal != "")
			attributes(w, it.Attributes)
			edits(w, it.Headers)
			maxAge(w, it.MaxAge)
		}, err
	case Deny:
		whole, failed := reply(it.Status, it.Headers, it.Body, it.JSON)
		return func(w *host.Words) {
			w.Add(1)
			whole(w)
			optional(w, it.Reason, it.Reason != "")
			maxAge(w, it.MaxAge)
		}, errors.Join(err, failed)
	case Abstain:
		return func(w *host.Words) { w.Add(2) }, err
	default:
		return nil, orElse(err, fmt.Sprintf("Authorize has returned no verdict but %T", verdict))
	}
}

func requestAction(action RequestAction, err error, body bool) (writer, error) {
	switch it := action.(type) {
	case nil:
		return unchanged, err
	case RequestEdit:
		if it.Body != nil && !body {
			return nil, orElse(err, "only OnRequestBody can change a body")
		}
		return func(w *host.Words) {
			w.Add(1)
			optional(w, it.Method, it.Method != "")
			optional(w, it.Path, it.Path != "")
			if it.Query != nil {
				optional(w, *it.Query, true)
			} else {
				optional(w, "", false)
			}
			edits(w, it.Headers)
			attributes(w, it.Attributes)
			optionalBytes(w, it.Body)
		}, err
	case Reply:
		return respond(it, err)
	default:
		return nil, orElse(err, fmt.Sprintf("%T is no answer of this hook", action))
	}
}

func responseAction(action ResponseAction, err error, body bool) (writer, error) {
	switch it := action.(type) {
	case nil:
		return unchanged, err
	case ResponseEdit:
		if it.Body != nil && !body {
			return nil, orElse(err, "only OnResponseBody can change a body")
		}
		return func(w *host.Words) {
			w.Add(1)
			// An option of 16 bits: both are in one word.
			if it.Status != 0 {
				w.Add(1 | uint32(uint16(it.Status))<<16)
			} else {
				w.Add(0)
			}
			edits(w, it.Headers)
			attributes(w, it.Attributes)
			optionalBytes(w, it.Body)
		}, err
	case Reply:
		return respond(it, err)
	default:
		return nil, orElse(err, fmt.Sprintf("%T is no answer of this hook", action))
	}
}

func chunkAction(action ChunkAction, err error) (writer, error) {
	switch it := action.(type) {
	case nil:
		return unchanged, err
	case Replace:
		return func(w *host.Words) {
			w.Add(1)
			w.Bytes(it)
		}, err
	case Reply:
		return respond(it, err)
	default:
		return nil, orElse(err, fmt.Sprintf("%T is no answer of this hook", action))
	}
}

func unchanged(w *host.Words) { w.Add(0) }

func respond(it Reply, err error) (writer, error) {
	whole, failed := reply(it.Status, it.Headers, it.Body, it.JSON)
	return func(w *host.Words) {
		w.Add(2)
		whole(w)
	}, errors.Join(err, failed)
}

// An answer to the client, with its JSON written.
func reply(status int, headers []Field, body []byte, value any) (writer, error) {
	var err error
	if value != nil {
		body, err = json.Marshal(value)
		isType := func(field Field) bool { return strings.EqualFold(field.Name, "content-type") }
		if !slices.ContainsFunc(headers, isType) {
			headers = append(slices.Clip(headers), Field{Name: "content-type", Value: "application/json"})
		}
	}
	return func(w *host.Words) {
		w.Add(uint32(uint16(max(0, min(status, 1<<16-1)))))
		list := &host.Words{}
		for _, field := range headers {
			list.Text(field.Name)
			list.Text(field.Value)
		}
		w.List(len(headers), list)
		w.Bytes(body)
	}, err
}

func orElse(err error, text string) error {
	if err != nil {
		return err
	}
	return errors.New(text)
}

func optional(w *host.Words, text string, there bool) {
	if !there {
		w.Add(0, 0, 0)
		return
	}
	w.Add(1)
	w.Text(text)
}

func optionalBytes(w *host.Words, bytes []byte) {
	if bytes == nil {
		w.Add(0, 0, 0)
		return
	}
	w.Add(1)
	w.Bytes(bytes)
}

func maxAge(w *host.Words, age time.Duration) {
	switch {
	case age == 0:
		w.Add(0, 0)
	case age < 0:
		w.Add(1, 0)
	default:
		w.Add(1, uint32(min(age/time.Second, 1<<32-1)))
	}
}

func attributes(w *host.Words, attributes Attributes) {
	names := make([]string, 0, len(attributes))
	for name := range attributes {
		names = append(names, name)
	}
	slices.Sort(names)
	list := &host.Words{}
	for _, name := range names {
		list.Text(name)
		list.Text(attributes[name])
	}
	w.List(len(names), list)
}

func edits(w *host.Words, edits []HeaderEdit) {
	list := &host.Words{}
	for _, edit := range edits {
		list.Add(uint32(edit.Kind))
		list.Text(edit.Field.Name)
		list.Text(edit.Field.Value)
	}
	w.List(len(edits), list)
}
