package main

import (
	"reflect"
	"testing"

	"gatehouse"
	"gatehouse/gatehousetest"
)

func TestTheKeyOpensAndNothingElseDoes(t *testing.T) {
	if err := gatehousetest.Start(plugin, `{"key": "k1"}`); err != nil {
		t.Fatal(err)
	}
	exchange := gatehousetest.Request("GET", "/", map[string]string{"x-key": "k1"})
	verdict, err := exchange.Authorize(plugin)
	if want := (gatehouse.Allow{Principal: "alice"}); err != nil || !reflect.DeepEqual(verdict, want) {
		t.Errorf("%+v, %v", verdict, err)
	}
	if reads := exchange.Reads(); !reflect.DeepEqual(reads, []string{"header:x-key"}) {
		t.Error(reads)
	}
	verdict, err = gatehousetest.Request("GET", "/", nil).Authorize(plugin)
	if deny, ok := verdict.(gatehouse.Deny); !ok || deny.Status != 403 || err != nil {
		t.Errorf("%+v, %v", verdict, err)
	}
}

func TestAConfigurationWithoutAKeyIsRefused(t *testing.T) {
	if gatehousetest.Start(plugin, `{"key": ""}`) == nil {
		t.Error("it was taken")
	}
}
