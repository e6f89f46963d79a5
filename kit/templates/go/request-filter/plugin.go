// Tells the upstream who has asked.
package main

import "gatehouse"

func init() { gatehouse.Register(plugin) }
func main() {}

var plugin = gatehouse.Plugin{OnRequest: onRequest}

func onRequest(request gatehouse.Request) (gatehouse.RequestAction, error) {
	return gatehouse.RequestEdit{
		Headers: []gatehouse.HeaderEdit{gatehouse.Set("x-caller", request.ClientIP())},
	}, nil
}
