package main

import (
	"reflect"
	"testing"

	"gatehouse"
	"gatehouse/gatehousetest"
)

func answered(t *testing.T, kind, body string) gatehouse.ResponseAction {
	exchange := gatehousetest.Exchange{Status: 200, ResponseHeaders: map[string]string{"content-type": kind}}
	action, err := exchange.OnResponseBody(plugin, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return action
}

func TestTheFieldGoesAndNothingElseIsTouched(t *testing.T) {
	action := answered(t, "application/json", `{"name":"a","password":"b"}`)
	if want := (gatehouse.ResponseEdit{Body: []byte(`{"name":"a"}`)}); !reflect.DeepEqual(action, want) {
		t.Errorf("%+v", action)
	}
	if action := answered(t, "application/json", `{"name":"a"}`); action != nil {
		t.Errorf("%+v", action)
	}
	if action := answered(t, "text/plain", "password"); action != nil {
		t.Errorf("%+v", action)
	}
}
