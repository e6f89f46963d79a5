// Hides what the upstream is made of.
package main

import "gatehouse"

func init() { gatehouse.Register(plugin) }
func main() {}

var plugin = gatehouse.Plugin{OnResponse: onResponse}

func onResponse(_ gatehouse.Request, response gatehouse.Response) (gatehouse.ResponseAction, error) {
	if _, ok := response.Header("x-powered-by"); !ok {
		return nil, nil
	}
	return gatehouse.ResponseEdit{Headers: []gatehouse.HeaderEdit{gatehouse.Remove("x-powered-by")}}, nil
}
