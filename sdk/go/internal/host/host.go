// Package host is the gateway's side of the contract: in a component its imports, natively doubles of them.
package host

import "time"

// Field is a header field or an attribute.
type Field struct {
	Name, Value string
}

// HTTPRequest is a request to another server.
type HTTPRequest struct {
	Method, Scheme, Authority string
	// Target is the path with the query.
	Target  string
	Headers []Field
	Body    []byte
	// Timeout is for the connection, for the answer's header section, and between bytes of its body; 0 is the gateway's.
	Timeout time.Duration
	// Limit is the longest body of an answer that is taken.
	Limit int
}

// HTTPResponse is its answer.
type HTTPResponse struct {
	Status  int
	Headers []Field
	Body    []byte
}

// Bucket is key-value state by the name that it was opened with.
type Bucket interface {
	Get(key string) ([]byte, bool, error)
	Set(key string, value []byte) error
	Delete(key string) error
	Exists(key string) (bool, error)
	Keys() ([]string, error)
	Increment(key string, delta int64) (int64, error)
}
