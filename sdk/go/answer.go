package gatehouse

import "time"

// Verdict is what an authorizer says: Allow, Deny or Abstain.
type Verdict interface{ verdict() }

// RequestAction is what becomes of a request: nil for unchanged, RequestEdit, Reply.
type RequestAction interface{ requestAction() }

// ResponseAction is what becomes of a response: nil for unchanged, ResponseEdit, Reply.
type ResponseAction interface{ responseAction() }

// ChunkAction is what goes on in a piece's place: itself (nil), Replace, Reply.
type ChunkAction interface{ chunkAction() }

// Attributes are for later plugins, upstream header mappings and logs. A name is letters, digits, "_", "-" and "."; structured
// values are JSON text.
type Attributes map[string]string

// NotKept is the MaxAge of a verdict that holds for its own request alone.
const NotKept time.Duration = -1

// Allow lets a request pass.
type Allow struct {
	// Principal is who it is, if it is known: it becomes the attribute auth.principal.
	Principal string
	// Attributes get the prefix "auth.".
	Attributes Attributes
	// Headers change those of the request that goes upstream.
	Headers []HeaderEdit
	// MaxAge is for how long the verdict holds for a request with the same values in everything that was read, in whole
	// seconds. When it is 0 the operator's default holds, unless the decision also used the clock, randomness, the network or
	// key-value state: then the verdict is not kept.
	MaxAge time.Duration
}

// Deny refuses a request with exactly this answer.
type Deny struct {
	// Status is 400 to 599.
	Status  int
	Headers []Field
	Body    []byte
	// JSON, in the place of Body, is any value that encoding/json writes.
	JSON any
	// Reason is for the log; the client never sees it.
	Reason string
	// MaxAge is as of Allow.
	MaxAge time.Duration
}

// Abstain says "not my scheme": the next authorizer of the route is asked. When all abstain, the answer is 401.
type Abstain struct{}

func (Allow) verdict()   {}
func (Deny) verdict()    {}
func (Abstain) verdict() {}

// HeaderEdit is a change to a header section; made by Set, Append and Remove. Edits are applied in their order.
type HeaderEdit struct {
	Kind  EditKind
	Field Field
}

// EditKind is what an edit does.
type EditKind int

// Kinds of edits.
const (
	EditSet EditKind = iota
	EditAppend
	EditRemove
)

// Set replaces all fields of that name by this one.
func Set(name, value string) HeaderEdit {
	return HeaderEdit{EditSet, Field{Name: name, Value: value}}
}

// Append adds a field after those of the same name.
func Append(name, value string) HeaderEdit {
	return HeaderEdit{EditAppend, Field{Name: name, Value: value}}
}

// Remove removes all fields of that name.
func Remove(name string) HeaderEdit { return HeaderEdit{EditRemove, Field{Name: name}} }

// RequestEdit changes a request. Only what is given is changed.
type RequestEdit struct {
	Method string
	// Path begins with "/". The route stays the one matched.
	Path string
	// Query is without the question mark; one that is empty removes it.
	Query   *string
	Headers []HeaderEdit
	// Attributes get the plugin's name and a dot as prefix.
	Attributes Attributes
	// Body is the new body, for OnRequestBody only; nil keeps it.
	Body []byte
}

// ResponseEdit changes a response. Only what is given is changed.
type ResponseEdit struct {
	// Status is 200 to 599.
	Status  int
	Headers []HeaderEdit
	// Attributes get the plugin's name and a dot as prefix.
	Attributes Attributes
	// Body is the new body, for OnResponseBody only; nil keeps it.
	Body []byte
}

// Reply is an answer to the client in the place of what was coming.
type Reply struct {
	// Status is 200 to 599.
	Status  int
	Headers []Field
	Body    []byte
	// JSON, in the place of Body, is any value that encoding/json writes.
	JSON any
}

// Replace is what goes on in a piece's place; when it is empty, nothing for now.
type Replace []byte

func (RequestEdit) requestAction()   {}
func (ResponseEdit) responseAction() {}
func (Reply) requestAction()         {}
func (Reply) responseAction()        {}
func (Reply) chunkAction()           {}
func (Replace) chunkAction()         {}
