package main

import (
	"reflect"
	"testing"
	"time"

	"gatehouse/gatehousetest"
)

func TestAnExchangeBecomesALine(t *testing.T) {
	gateway := &gatehousetest.Gateway{}
	exchange := gatehousetest.Exchange{Target: "/pets", Status: 200, Duration: 1500 * time.Microsecond, Gateway: gateway}
	if err := exchange.Log(plugin); err != nil {
		t.Fatal(err)
	}
	if want := []string{"info: GET /pets 200 1 ms"}; !reflect.DeepEqual(gateway.Log, want) {
		t.Error(gateway.Log)
	}
}
