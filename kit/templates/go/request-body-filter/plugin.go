// Refuses bodies that are not JSON.
package main

import (
	"encoding/json"

	"gatehouse"
)

func init() { gatehouse.Register(plugin) }
func main() {}

var plugin = gatehouse.Plugin{RequestBodyLimit: limit, OnRequestBody: onRequestBody}

func limit(request gatehouse.Request) int64 {
	if kind, _ := request.Header("content-type"); kind != "application/json" {
		return gatehouse.NoBody
	}
	return 65536
}

func onRequestBody(_ gatehouse.Request, body []byte) (gatehouse.RequestAction, error) {
	if !json.Valid(body) {
		return gatehouse.Reply{Status: 400, JSON: map[string]string{"error": "the body is no JSON"}}, nil
	}
	return nil, nil
}
