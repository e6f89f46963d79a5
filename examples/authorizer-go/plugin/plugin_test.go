package main

import (
	"fmt"
	"net/http"
	"reflect"
	"testing"

	"gatehouse"
	"gatehouse/gatehousetest"
)

func started(t *testing.T) {
	config := `{"keys": {"k1": {"name": "alice", "plan": "gold"}}, "profiles": "http://profiles.example"}`
	if err := gatehousetest.Start(plugin, config); err != nil {
		t.Fatal(err)
	}
}

func TestAKnownKeyPassesAndTellsThePlan(t *testing.T) {
	started(t)
	exchange := gatehousetest.Request("GET", "/orders/1", map[string]string{"x-api-key": "k1"})
	verdict, err := exchange.Authorize(plugin)
	want := gatehouse.Allow{Principal: "alice", Attributes: gatehouse.Attributes{"plan": "gold"}}
	if err != nil || !reflect.DeepEqual(verdict, want) {
		t.Errorf("%+v, %v", verdict, err)
	}
	if reads := exchange.Reads(); !reflect.DeepEqual(reads, []string{"header:x-api-key"}) {
		t.Error(reads)
	}
}

func TestAnUnknownKeyIsRefusedAndNoKeyIsLeftToOthers(t *testing.T) {
	started(t)
	verdict, _ := gatehousetest.Request("GET", "/", map[string]string{"x-api-key": "k2"}).Authorize(plugin)
	if deny, ok := verdict.(gatehouse.Deny); !ok || deny.Status != 403 {
		t.Errorf("%+v", verdict)
	}
	verdict, _ = gatehousetest.Request("GET", "/", nil).Authorize(plugin)
	if verdict != (gatehouse.Abstain{}) {
		t.Errorf("%+v", verdict)
	}
}

func TestTheTitleOfTheProfileGoesUpstream(t *testing.T) {
	started(t)
	gateway := &gatehousetest.Gateway{Server: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"title": "keeper"}`)
	})}
	exchange := gatehousetest.Exchange{Attributes: map[string]string{"auth.principal": "a/b"}, Gateway: gateway}
	action, err := exchange.OnRequest(plugin)
	want := gatehouse.RequestEdit{Headers: []gatehouse.HeaderEdit{gatehouse.Set("x-profile", "keeper")}}
	if err != nil || !reflect.DeepEqual(action, want) {
		t.Errorf("%+v, %v", action, err)
	}
	if want := []string{"GET http://profiles.example/a%2Fb"}; !reflect.DeepEqual(gateway.Sent, want) {
		t.Error(gateway.Sent)
	}
}

func TestWithoutAProfileTheRequestGoesOnAndTheLogSaysWhy(t *testing.T) {
	started(t)
	gateway := &gatehousetest.Gateway{Server: http.NotFoundHandler()}
	exchange := gatehousetest.Exchange{Attributes: map[string]string{"auth.principal": "alice"}, Gateway: gateway}
	if action, err := exchange.OnRequest(plugin); action != nil || err != nil {
		t.Errorf("%+v, %v", action, err)
	}
	if want := []string{"warn: no profile of alice: the answer is 404"}; !reflect.DeepEqual(gateway.Log, want) {
		t.Error(gateway.Log)
	}
}
