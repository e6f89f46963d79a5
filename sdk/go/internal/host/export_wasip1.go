package host

import (
	"strings"
	"unsafe"
)

// What a hook hands to the gateway: all that an answer of the contract is made of, lists aside, is words of 32 bits, so an
// answer is a list of them. It stays until the next hook; the gateway has copied it by then.
//
// A string is a pointer there, and a pointer in a word is none to the garbage collector, so what it points to is kept here too.

// The contract's strings are UTF-8; one that is not would end the instance.
func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// Words is an answer in the making.
type Words struct {
	words []uint32
	kept  []any
}

// Add adds numbers.
func (w *Words) Add(words ...uint32) { w.words = append(w.words, words...) }

// Text adds a string.
func (w *Words) Text(text string) {
	text = valid(text)
	w.kept = append(w.kept, text)
	w.Add(uint32(uintptr(unsafe.Pointer(unsafe.StringData(text)))), uint32(len(text)))
}

// Bytes adds a list of bytes.
func (w *Words) Bytes(bytes []byte) {
	w.kept = append(w.kept, bytes)
	w.Add(uint32(uintptr(unsafe.Pointer(unsafe.SliceData(bytes)))), uint32(len(bytes)))
}

// List adds a list of values that were written to other words.
func (w *Words) List(length int, values *Words) {
	w.kept = append(w.kept, values)
	w.Add(uint32(uintptr(unsafe.Pointer(unsafe.SliceData(values.words)))), uint32(length))
}

// The answer that the gateway reads.
var answer Words

// The gateway reads answers by their type, of which none is longer than this.
const longest = 40

// Answer begins the answer of a hook.
func Answer() *Words {
	// Room for all of it, so that no value moves and what is not written is 0.
	clear(answer.words[:cap(answer.words)])
	clear(answer.kept)
	answer.words, answer.kept = answer.words[:0], answer.kept[:0]
	return &answer
}

// Done is what a hook returns to the gateway.
func (w *Words) Done() unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(w.words)) }

// A list of 64-bit numbers is where those of 32 bits are aligned for both.
func init() {
	room := make([]uint64, longest/2)
	answer.words = unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(room))), longest)[:0]
}

// Argument copies what the gateway has handed to a hook.
func Argument(at unsafe.Pointer, length uint32) []byte {
	bytes := append([]byte(nil), unsafe.Slice((*byte)(at), length)...)
	release()
	return bytes
}
