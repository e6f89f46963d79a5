package main

import (
	"testing"

	"gatehouse"
	"gatehouse/gatehousetest"
)

func post(t *testing.T, kind, body string) gatehouse.RequestAction {
	exchange := gatehousetest.Request("POST", "/", map[string]string{"content-type": kind})
	action, err := exchange.OnRequestBody(plugin, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return action
}

func TestJSONPassesAndWhatIsNotMeantAsJSON(t *testing.T) {
	if action := post(t, "application/json", "{}"); action != nil {
		t.Errorf("%+v", action)
	}
	if action := post(t, "text/plain", "{"); action != nil {
		t.Errorf("%+v", action)
	}
}

func TestBrokenJSONIsRefused(t *testing.T) {
	if reply, ok := post(t, "application/json", "{").(gatehouse.Reply); !ok || reply.Status != 400 {
		t.Errorf("%+v", reply)
	}
}
