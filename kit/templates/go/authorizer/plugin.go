// Lets requests pass that carry the key.
package main

import (
	"errors"

	"gatehouse"
)

func init() { gatehouse.Register(plugin) }
func main() {}

var plugin = gatehouse.Plugin{Init: start, Authorize: authorize}

var settings struct {
	Key string `json:"key"`
}

func start(config gatehouse.Config) error {
	if err := config.Decode(&settings); err != nil {
		return err
	}
	if settings.Key == "" {
		return errors.New("`key` is a string that is not empty")
	}
	return nil
}

func authorize(request gatehouse.Request) (gatehouse.Verdict, error) {
	if key, _ := request.Header("x-key"); gatehouse.SameSecret(key, settings.Key) {
		return gatehouse.Allow{Principal: "alice"}, nil
	}
	return gatehouse.Deny{Status: 403, JSON: map[string]string{"error": "the key is wrong"}}, nil
}
