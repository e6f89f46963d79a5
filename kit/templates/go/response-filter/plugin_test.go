package main

import (
	"reflect"
	"testing"

	"gatehouse"
	"gatehouse/gatehousetest"
)

func TestTheHeaderGoesAndNothingElseIsTouched(t *testing.T) {
	exchange := gatehousetest.Exchange{Status: 200, ResponseHeaders: map[string]string{"x-powered-by": "x"}}
	action, err := exchange.OnResponse(plugin)
	want := gatehouse.ResponseEdit{Headers: []gatehouse.HeaderEdit{gatehouse.Remove("x-powered-by")}}
	if err != nil || !reflect.DeepEqual(action, want) {
		t.Errorf("%+v, %v", action, err)
	}
	exchange = gatehousetest.Exchange{Status: 200}
	if action, err := exchange.OnResponse(plugin); action != nil || err != nil {
		t.Errorf("%+v, %v", action, err)
	}
}
