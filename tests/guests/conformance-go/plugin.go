// The subject of the conformance battery: the same plugin in every language, run through the same cases
// (tests/conformance.rs). What it does is told by headers of the request, so each hook shows all that it can do.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gatehouse"
)

var (
	settings struct {
		Secret string `json:"secret"`
		URL    string `json:"url"`
	}
	// How often this instance was asked to authorize.
	seen int
	// Bytes of the body that is passing.
	counted int
)

func main() {}

func init() {
	gatehouse.Register(gatehouse.Plugin{
		Init:             start,
		Authorize:        authorize,
		OnRequest:        onRequest,
		RequestBodyLimit: requestBodyLimit,
		OnRequestBody:    onRequestBody,
		OnResponse:       onResponse,
		OnResponseChunk:  onResponseChunk,
		Log:              log,
	})
}

func start(config gatehouse.Config) error {
	if err := config.Decode(&settings); err != nil {
		return err
	}
	if settings.Secret == "" {
		return errors.New("`secret` is empty")
	}
	return nil
}

func authorize(request gatehouse.Request) (gatehouse.Verdict, error) {
	seen++
	act, _ := request.Header("x-act")
	switch act {
	case "key":
		if key, _ := request.Header("x-key"); !gatehouse.SameSecret(key, settings.Secret) {
			return gatehouse.Deny{
				Status: 403,
				JSON:   map[string]string{"error": "unknown key"},
				MaxAge: gatehouse.NotKept,
			}, nil
		}
		return gatehouse.Allow{
			Principal:  "key-holder",
			Attributes: gatehouse.Attributes{"seen": strconv.Itoa(seen)},
			MaxAge:     time.Minute,
		}, nil
	case "deny":
		return gatehouse.Deny{
			Status:  402,
			Headers: []gatehouse.Field{{Name: "x-reason", Value: "money"}, {Name: "www-authenticate", Value: "Pay"}},
			Body:    []byte("no money"),
			Reason:  "out of money",
		}, nil
	case "abstain":
		return gatehouse.Abstain{}, nil
	case "error":
		return nil, errors.New("the subject was asked to fail")
	case "loop":
		for {
			seen++
		}
	case "echo":
		return echo(request), nil
	case "fetch":
		return fetch()
	default:
		return gatehouse.Allow{
			Principal:  "alice",
			Attributes: gatehouse.Attributes{"plan": "gold", "seen": strconv.Itoa(seen)},
			Headers:    []gatehouse.HeaderEdit{gatehouse.Set("x-verdict", "allow")},
			MaxAge:     gatehouse.NotKept,
		}, nil
	}
}

// Tells the upstream all that can be read.
func echo(request gatehouse.Request) gatehouse.Verdict {
	or := func(value string, ok bool) string {
		if !ok {
			return "-"
		}
		return value
	}
	return gatehouse.Allow{
		Headers: []gatehouse.HeaderEdit{
			gatehouse.Set("x-method", request.Method()),
			gatehouse.Set("x-path", request.Path()),
			gatehouse.Set("x-query", or(request.Query())),
			gatehouse.Set("x-q", or(request.QueryParam("q"))),
			gatehouse.Set("x-qs", strings.Join(request.QueryParams("q"), "|")),
			gatehouse.Set("x-p", or(request.PathParam("p"))),
			gatehouse.Set("x-scheme", request.Scheme()),
			gatehouse.Set("x-bytes", or(request.Header("x-bytes"))),
			gatehouse.Set("x-cookie", or(request.Cookie("c"))),
			gatehouse.Set("x-bearer", or(request.Bearer())),
			gatehouse.Set("x-values", strings.Join(request.HeaderValues("x-multi"), "|")),
			gatehouse.Set("x-client", request.ClientIP()),
			gatehouse.Set("x-route", request.Route()),
			gatehouse.Append("x-appended", "1"),
			gatehouse.Append("x-appended", "2"),
			gatehouse.Remove("x-gone"),
		},
		MaxAge: gatehouse.NotKept,
	}
}

func fetch() (gatehouse.Verdict, error) {
	answer, err := gatehouse.Send(gatehouse.HTTPRequest{
		URL:     settings.URL,
		Headers: []gatehouse.Field{{Name: "x-from", Value: "subject"}},
	})
	if err != nil {
		return gatehouse.Deny{Status: 503, Body: []byte("fetch failed")}, nil
	}
	fetched := fmt.Sprintf("%d %s", answer.Status, answer.Body)
	return gatehouse.Allow{Headers: []gatehouse.HeaderEdit{gatehouse.Set("x-fetched", fetched)}}, nil
}

func onRequest(request gatehouse.Request) (gatehouse.RequestAction, error) {
	edit, _ := request.Header("x-edit")
	switch edit {
	case "edit":
		query := "a=b"
		return gatehouse.RequestEdit{
			Method: "PUT",
			Path:   "/edited",
			Query:  &query,
			Headers: []gatehouse.HeaderEdit{
				gatehouse.Set("x-set", "1"),
				gatehouse.Append("x-multi", "3"),
				gatehouse.Remove("x-gone"),
			},
			Attributes: gatehouse.Attributes{"note": "edited"},
		}, nil
	case "respond":
		return gatehouse.Reply{
			Status:  418,
			Headers: []gatehouse.Field{{Name: "x-teapot", Value: "yes"}},
			Body:    []byte("short and stout"),
		}, nil
	case "error":
		return nil, errors.New("the filter was asked to fail")
	default:
		return nil, nil
	}
}

func requestBodyLimit(request gatehouse.Request) int64 {
	body, ok := request.Header("x-body")
	if body == "trap" {
		panic("the subject was asked to crash")
	}
	if !ok {
		return gatehouse.NoBody
	}
	return 65536
}

func onRequestBody(request gatehouse.Request, body []byte) (gatehouse.RequestAction, error) {
	act, _ := request.Header("x-body")
	switch act {
	case "double":
		return gatehouse.RequestEdit{Body: bytes.Repeat(body, 2)}, nil
	case "respond":
		return gatehouse.Reply{Status: 422, Body: fmt.Appendf(nil, "%d bytes", len(body))}, nil
	case "error":
		return nil, errors.New("the filter was asked to fail")
	default:
		return nil, nil
	}
}

func onResponse(request gatehouse.Request, response gatehouse.Response) (gatehouse.ResponseAction, error) {
	answer, _ := request.Header("x-answer")
	switch answer {
	case "edit":
		return gatehouse.ResponseEdit{
			Status: 203,
			Headers: []gatehouse.HeaderEdit{
				gatehouse.Set("x-upstream-status", strconv.Itoa(response.Status())),
				gatehouse.Remove("x-gone"),
			},
			Attributes: gatehouse.Attributes{"answered": "yes"},
		}, nil
	case "replace":
		return gatehouse.Reply{Status: 503, Body: []byte("replaced")}, nil
	default:
		return nil, nil
	}
}

func onResponseChunk(request gatehouse.Request, _ gatehouse.Response, chunk []byte, last bool) (gatehouse.ChunkAction, error) {
	chunks, _ := request.Header("x-chunks")
	switch chunks {
	case "upper":
		for i, b := range chunk {
			if 'a' <= b && b <= 'z' {
				chunk[i] = b - 'a' + 'A'
			}
		}
		return gatehouse.Replace(chunk), nil
	case "count":
		counted += len(chunk)
		if !last {
			return gatehouse.Replace(nil), nil
		}
		text := strconv.Itoa(counted)
		counted = 0
		return gatehouse.Replace(text), nil
	default:
		return nil, nil
	}
}

func log(request gatehouse.Request, response gatehouse.Response, outcome gatehouse.Outcome) error {
	principal, ok := request.Attribute("auth.principal")
	if !ok {
		principal = "-"
	}
	failure, ok := outcome.Failure()
	if !ok {
		failure = "-"
	}
	gatehouse.Infof("subject: %d %s %s", response.Status(), principal, failure)
	return nil
}
