// Counts the bytes of response bodies while they stream.
package main

import "gatehouse"

func init() { gatehouse.Register(plugin) }
func main() {}

var plugin = gatehouse.Plugin{OnResponseChunk: onResponseChunk}

// The instance stays with one exchange until its last piece, so a variable counts the bytes of that exchange.
var bytes int

func onResponseChunk(request gatehouse.Request, _ gatehouse.Response, chunk []byte, last bool) (gatehouse.ChunkAction, error) {
	bytes += len(chunk)
	if last {
		gatehouse.Infof("%s: %d bytes", request.Path(), bytes)
		bytes = 0
	}
	return nil, nil
}
