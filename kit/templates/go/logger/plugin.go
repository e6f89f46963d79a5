// Writes a line for each exchange.
package main

import "gatehouse"

func init() { gatehouse.Register(plugin) }
func main() {}

var plugin = gatehouse.Plugin{Log: log}

func log(request gatehouse.Request, response gatehouse.Response, outcome gatehouse.Outcome) error {
	gatehouse.Infof("%s %s %d %d ms", request.Method(), request.Path(), response.Status(), outcome.Duration().Milliseconds())
	return nil
}
