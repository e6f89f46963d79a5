// Counts the bytes of request bodies while they stream.
package main

import "gatehouse"

func init() { gatehouse.Register(plugin) }
func main() {}

var plugin = gatehouse.Plugin{OnRequestChunk: onRequestChunk}

// The instance stays with one exchange until its last piece, so a variable counts the bytes of that exchange.
var bytes int

func onRequestChunk(request gatehouse.Request, chunk []byte, last bool) (gatehouse.ChunkAction, error) {
	bytes += len(chunk)
	if last {
		gatehouse.Infof("%s: %d bytes", request.Path(), bytes)
		bytes = 0
	}
	return nil, nil
}
