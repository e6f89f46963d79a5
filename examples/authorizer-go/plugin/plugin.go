// Lets callers with a known key pass, and tells the upstream the title from their profile.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"gatehouse"
	"gatehouse/client"
)

var plugin = gatehouse.Plugin{Init: start, Authorize: authorize, OnRequest: onRequest}

func init() { gatehouse.Register(plugin) }
func main() {}

type caller struct {
	Name string `json:"name"`
	Plan string `json:"plan"`
}

var settings struct {
	Keys     map[string]caller `json:"keys"`
	Profiles string            `json:"profiles"`
}

var profiles = http.Client{Transport: client.Transport{}}

// What it may be is said in config.schema.json; the gateway has checked that.
func start(config gatehouse.Config) error { return config.Decode(&settings) }

func authorize(request gatehouse.Request) (gatehouse.Verdict, error) {
	key, ok := request.Header("x-api-key")
	if !ok {
		return gatehouse.Abstain{}, nil
	}
	caller, ok := settings.Keys[key]
	if !ok {
		return gatehouse.Deny{Status: 403, JSON: map[string]string{"error": "unknown key"}}, nil
	}
	return gatehouse.Allow{Principal: caller.Name, Attributes: gatehouse.Attributes{"plan": caller.Plan}}, nil
}

func onRequest(request gatehouse.Request) (gatehouse.RequestAction, error) {
	principal, ok := request.Attribute("auth.principal")
	if !ok || settings.Profiles == "" {
		return nil, nil
	}
	title, err := title(principal)
	if err != nil {
		gatehouse.Warnf("no profile of %s: %v", principal, err)
		return nil, nil
	}
	return gatehouse.RequestEdit{Headers: []gatehouse.HeaderEdit{gatehouse.Set("x-profile", title)}}, nil
}

func title(principal string) (string, error) {
	answer, err := profiles.Get(settings.Profiles + "/" + url.PathEscape(principal))
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the answer is %d", answer.StatusCode)
	}
	var profile struct {
		Title string `json:"title"`
	}
	err = json.NewDecoder(answer.Body).Decode(&profile)
	return profile.Title, err
}
