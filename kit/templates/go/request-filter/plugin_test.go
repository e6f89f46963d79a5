package main

import (
	"reflect"
	"testing"

	"gatehouse"
	"gatehouse/gatehousetest"
)

func TestTheUpstreamIsToldTheClientsAddress(t *testing.T) {
	exchange := gatehousetest.Exchange{ClientIP: "192.0.2.7"}
	action, err := exchange.OnRequest(plugin)
	want := gatehouse.RequestEdit{Headers: []gatehouse.HeaderEdit{gatehouse.Set("x-caller", "192.0.2.7")}}
	if err != nil || !reflect.DeepEqual(action, want) {
		t.Errorf("%+v, %v", action, err)
	}
}
