// Takes the field `password` out of JSON answers.
package main

import (
	"encoding/json"

	"gatehouse"
)

func init() { gatehouse.Register(plugin) }
func main() {}

var plugin = gatehouse.Plugin{ResponseBodyLimit: limit, OnResponseBody: onResponseBody}

func limit(_ gatehouse.Request, response gatehouse.Response) int64 {
	if kind, _ := response.Header("content-type"); kind != "application/json" {
		return gatehouse.NoBody
	}
	return 65536
}

func onResponseBody(_ gatehouse.Request, _ gatehouse.Response, body []byte) (gatehouse.ResponseAction, error) {
	// Each member as it was written.
	var answer map[string]json.RawMessage
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	if _, ok := answer["password"]; !ok {
		return nil, nil
	}
	delete(answer, "password")
	changed, err := json.Marshal(answer)
	return gatehouse.ResponseEdit{Body: changed}, err
}
