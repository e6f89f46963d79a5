package main

import (
	"reflect"
	"testing"

	"gatehouse/gatehousetest"
)

func TestTheBytesOfAnExchangeAreCountedToItsEnd(t *testing.T) {
	for range 2 {
		gateway := &gatehousetest.Gateway{}
		exchange := gatehousetest.Exchange{Target: "/a", Gateway: gateway}
		for _, piece := range []string{"abc", "de"} {
			if action, err := exchange.OnResponseChunk(plugin, []byte(piece), piece == "de"); action != nil || err != nil {
				t.Errorf("%+v, %v", action, err)
			}
		}
		if want := []string{"info: /a: 5 bytes"}; !reflect.DeepEqual(gateway.Log, want) {
			t.Error(gateway.Log)
		}
	}
}
