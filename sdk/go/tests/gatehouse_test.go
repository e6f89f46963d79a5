// Package tests has the SDK's own tests, against its doubles. What it does in a component is shown by the conformance battery.
package tests

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"gatehouse"
	"gatehouse/client"
	"gatehouse/gatehousetest"
	"gatehouse/logging"
)

func equal(t *testing.T, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v, want %#v", got, want)
	}
}

// What a value is, with whether it is there.
func text(value string, ok bool) string {
	if !ok {
		return "-"
	}
	return value
}

func TestReadsAreAnsweredAndNoted(t *testing.T) {
	exchange := gatehousetest.Request("GET", "/x/7?q=a%20b&q=c+d&r&bad=%zz", map[string]string{
		"Cookie": "a=1; c=choc", "Authorization": "bearer  tok.en ",
	})
	exchange.Fields = []gatehouse.Field{{Name: "X-Multi", Value: "1"}, {Name: "x-multi", Value: "2"}}
	exchange.PathParams = map[string]string{"p": "7"}
	exchange.Attributes = map[string]string{"auth.principal": "alice"}
	exchange.Run(func() {
		request := gatehouse.Request{}
		equal(t, []string{request.Method(), request.Path(), request.Scheme(), request.Authority()},
			[]string{"GET", "/x/7", "http", "localhost"})
		equal(t, text(request.Query()), "q=a%20b&q=c+d&r&bad=%zz")
		equal(t, []string{text(request.QueryParam("q")), text(request.QueryParam("r")), text(request.QueryParam("s"))},
			[]string{"a b", "", "-"})
		equal(t, request.QueryParams("q"), []string{"a b", "c d"})
		equal(t, []string{text(request.PathParam("p")), text(request.PathParam("q"))}, []string{"7", "-"})
		equal(t, []string{text(request.Header("X-MULTI")), text(request.Header("x-none"))}, []string{"1, 2", "-"})
		equal(t, request.HeaderValues("x-multi"), []string{"1", "2"})
		equal(t, []string{text(request.Cookie("c")), text(request.Cookie("d"))}, []string{"choc", "-"})
		equal(t, text(request.Bearer()), "tok.en")
		equal(t, []string{text(request.Attribute("auth.principal")), text(request.Attribute("x"))}, []string{"alice", "-"})
	})
	equal(t, exchange.Reads(), []string{
		"attribute:auth.principal", "attribute:x", "authority", "cookie:c", "cookie:d",
		"header-values:x-multi", "header:authorization", "header:x-multi", "header:x-none", "method", "path", "path-param:p", "path-param:q",
		"query", "query-param:q", "query-param:r", "query-param:s", "query-params:q", "scheme",
	})
}

func TestABearerIsATokenAfterItsScheme(t *testing.T) {
	for value, want := range map[string]string{
		"Bearer a": "a", "BEARER a b": "a b", "Bearer": "-", "Bearer ": "-", "Basic a": "-", "Bearera": "-", "": "-",
	} {
		exchange := gatehousetest.Request("GET", "/", map[string]string{"authorization": value})
		exchange.Run(func() { equal(t, text(gatehouse.Request{}.Bearer()), want) })
	}
}

func TestSecretsThatAreEmptyAreNotTheSame(t *testing.T) {
	equal(t, gatehouse.SameSecret("a", "a"), true)
	for _, pair := range [][2]string{{"", ""}, {"a", ""}, {"a", "b"}, {"a", "ab"}} {
		equal(t, gatehouse.SameSecret(pair[0], pair[1]), false)
	}
}

func TestAConfigurationIsReadStrictly(t *testing.T) {
	var settings struct {
		Key string `json:"key"`
	}
	plugin := gatehouse.Plugin{Init: func(config gatehouse.Config) error { return config.Decode(&settings) }}
	equal(t, gatehousetest.Start(plugin, map[string]string{"key": "k1"}), nil)
	equal(t, settings.Key, "k1")
	for config, says := range map[string]string{
		`{"key": 7}`: "key", `{"colour": "red"}`: "colour", `{} {}`: "after", `{`: "EOF",
	} {
		err := gatehousetest.Start(plugin, config)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", config, err)
		}
	}
	equal(t, gatehousetest.Start(gatehouse.Plugin{}, `{}`), nil)
	if gatehousetest.Start(gatehouse.Plugin{}, `{"key": "k1"}`) == nil {
		t.Error("a plugin without Init took a key")
	}
}

func TestTheOutcomeIsInGosUnits(t *testing.T) {
	exchange := gatehousetest.Exchange{
		Started: time.Hour, Duration: 1500 * time.Microsecond, Verdict: "deny", ResponseBytes: 7,
	}
	exchange.Run(func() {
		outcome := gatehouse.Outcome{}
		equal(t, outcome.Started().Equal(time.Unix(3600, 0)), true)
		equal(t, outcome.Duration(), 1500*time.Microsecond)
		_, ok := outcome.UpstreamDuration()
		equal(t, ok, false)
		equal(t, []string{text(outcome.Verdict()), text(outcome.Failure())}, []string{"deny", "-"})
		equal(t, outcome.ResponseBytes(), uint64(7))
	})
}

// A server that says what it was sent.
var server = http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(request.Body)
	w.Header().Set("x-seen", request.Header.Get("x-sent"))
	w.WriteHeader(http.StatusAccepted)
	fmt.Fprintf(w, "%s %s %s", request.Method, request.URL, body)
})

func TestARequestIsSentByTheGateway(t *testing.T) {
	exchange := gatehousetest.Exchange{Gateway: &gatehousetest.Gateway{Server: server}}
	exchange.Run(func() {
		answer, err := gatehouse.Send(gatehouse.HTTPRequest{
			Method: "POST", URL: "https://a.example?x=y#z", Body: []byte("hi"),
			Headers: []gatehouse.Field{{Name: "x-sent", Value: "1"}},
		})
		equal(t, err, nil)
		equal(t, []any{answer.Status, answer.Header("X-Seen"), string(answer.Body)},
			[]any{202, "1", "POST https://a.example/?x=y hi"})
		_, err = gatehouse.Send(gatehouse.HTTPRequest{URL: "https://a.example", Limit: 3})
		equal(t, err != nil, true)
		_, err = gatehouse.Send(gatehouse.HTTPRequest{URL: "a.example"})
		equal(t, err.Error(), `the URL has no scheme: "a.example"`)
	})
	equal(t, exchange.Gateway.Sent, []string{"POST https://a.example/?x=y", "GET https://a.example/"})
}

func TestAClientOfNetHTTPSendsByTheGateway(t *testing.T) {
	exchange := gatehousetest.Exchange{Gateway: &gatehousetest.Gateway{Server: server}}
	exchange.Run(func() {
		answer, err := client.New(time.Second).Post("http://a.example/p", "text/plain", strings.NewReader("hi"))
		equal(t, err, nil)
		body, err := io.ReadAll(answer.Body)
		equal(t, []any{answer.StatusCode, string(body), err}, []any{202, "POST http://a.example/p hi", nil})
	})
	exchange.Gateway.Server = nil
	exchange.Run(func() {
		_, err := client.New(0).Get("http://a.example/")
		equal(t, strings.Contains(err.Error(), "nothing answers"), true)
	})
}

func TestStateIsSharedByTheBucketsOfAGateway(t *testing.T) {
	exchange := gatehousetest.Exchange{}
	exchange.Run(func() {
		one, _ := gatehouse.OpenBucket("b")
		other, _ := gatehouse.OpenBucket("b")
		_, ok, _ := one.Get("k")
		equal(t, ok, false)
		equal(t, one.Set("k", []byte("v")), nil)
		value, ok, _ := other.Get("k")
		equal(t, []any{string(value), ok}, []any{"v", true})
		_, err := one.Increment("k", 1)
		equal(t, err, errors.New("key-value store: not a number"))
		sum, _ := one.Increment("n", 2)
		sum, _ = one.Increment("n", -5)
		equal(t, sum, int64(-3))
		equal(t, one.Delete("k"), nil)
		keys, _ := one.Keys()
		equal(t, keys, []string{"n"})
	})
}

func TestSlogWritesToTheGatewaysLog(t *testing.T) {
	exchange := gatehousetest.Exchange{}
	exchange.Run(func() {
		logger := slog.New(&logging.Handler{}).With("who", "a b").WithGroup("g")
		logger.Warn("late", "ms", 7, slog.Group("in", "x", ""))
		logger.Debug("plain")
	})
	equal(t, exchange.Gateway.Log, []string{`warn: late who="a b" g.ms=7 g.in.x=""`, `debug: plain who="a b"`})
}

func TestLinesAreKept(t *testing.T) {
	exchange := gatehousetest.Exchange{}
	exchange.Run(func() {
		gatehouse.Warnf("%d left", 3)
		equal(t, gatehouse.WriteLine("line"), true)
	})
	equal(t, exchange.Gateway.Log, []string{"warn: 3 left"})
	equal(t, exchange.Gateway.Output, []string{"line"})
}
