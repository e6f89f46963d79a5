package host

import "unsafe"

// What the gateway hands over is written into memory that cabi_realloc gives it. That memory is not the garbage collector's:
// in cabi_realloc a component may not call out, and the collector asks for the time. It is a list of chunks that is used
// again from its beginning once the values have been copied out.

//go:linkname sbrk runtime.sbrk
func sbrk(size uintptr) unsafe.Pointer

// The smallest chunk that is asked of the runtime.
const smallest = 64 << 10

type chunk struct {
	start unsafe.Pointer
	size  uintptr
}

var (
	// The adapter to WASI keeps its state here; it asks for it before the runtime has begun.
	early     [160 << 10]byte
	earlyUsed uintptr

	chunks [32]chunk
	// How many there are, and in which one there is room from where on.
	count, current int
	used           uintptr
	begun          bool
)

func init() { begun = true }

//go:wasmexport cabi_realloc
//go:nosplit
func realloc(old unsafe.Pointer, oldSize, align, size uint32) unsafe.Pointer {
	to := allocate(uintptr(size), uintptr(align))
	for i := uintptr(0); i < uintptr(min(oldSize, size)); i++ {
		*(*byte)(unsafe.Add(to, i)) = *(*byte)(unsafe.Add(old, i))
	}
	return to
}

//go:nosplit
func allocate(size, align uintptr) unsafe.Pointer {
	if !begun {
		earlyUsed = up(uintptr(unsafe.Pointer(&early))+earlyUsed, align) - uintptr(unsafe.Pointer(&early))
		at := earlyUsed
		earlyUsed += size
		if earlyUsed > uintptr(len(early)) {
			return nowhere()
		}
		return unsafe.Pointer(&early[at])
	}
	for ; current < count; current, used = current+1, 0 {
		it := &chunks[current]
		at := up(uintptr(it.start)+used, align) - uintptr(it.start)
		if at+size <= it.size {
			used = at + size
			return unsafe.Add(it.start, at)
		}
	}
	return grow(size)
}

// A new chunk, twice as long as the last, so that there are few.
//
//go:nosplit
func grow(size uintptr) unsafe.Pointer {
	length := uintptr(smallest)
	if count > 0 {
		length = 2 * chunks[count-1].size
	}
	length = up(max(length, size), smallest)
	start := sbrk(length)
	if start == nil && length > size {
		length = up(size, smallest)
		start = sbrk(length)
	}
	if start == nil || count == len(chunks) {
		return nowhere()
	}
	chunks[count] = chunk{start, length}
	count++
	used = size
	return start
}

// There is no memory left. Whoever is told of an address past the end of all memory ends the instance; at nil the gateway would
// write, and a panic would unwind past the gateway.
//
//go:nosplit
func nowhere() unsafe.Pointer { return unsafe.Add(nil, -8) }

//go:nosplit
func up(at, align uintptr) uintptr { return (at + align - 1) &^ (align - 1) }

// Release gives all of it back: what the gateway has handed over has been copied.
func release() { current, used = 0, 0 }

// A string or list as the gateway writes it.
type span struct {
	at, length uint32
}

func (s span) bytes() []byte {
	if s.length == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Add(nil, s.at)), s.length)
}

func (s span) text() string { return string(s.bytes()) }

// The items of a list.
func items[T any](s span) []T {
	if s.length == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Add(nil, s.at)), s.length)
}

// Where the gateway writes what does not fit into a register. Nothing else is called between its write and the read of it.
var area struct {
	words [16]uint32
	_     [0]uint64
}

func result() unsafe.Pointer { return unsafe.Pointer(&area) }

// The string or list at a word of the area.
func at(word int) span { return span{area.words[word], area.words[word+1]} }

// A number of 64 bits at a word of the area.
func wide(word int) uint64 { return uint64(area.words[word]) | uint64(area.words[word+1])<<32 }

// Whether the byte at the word's place is set: an option that is there, a result that is an error.
func set(word int) bool { return byte(area.words[word]) != 0 }

func text() string {
	defer release()
	return at(0).text()
}

func optional() (string, bool) {
	defer release()
	if !set(0) {
		return "", false
	}
	return at(1).text(), true
}

func texts(list span) []string {
	defer release()
	var all []string
	for _, it := range items[span](list) {
		all = append(all, it.text())
	}
	return all
}

func fields() []Field {
	defer release()
	list := items[[2]span](at(0))
	all := make([]Field, 0, len(list))
	for _, it := range list {
		all = append(all, Field{Name: it[0].text(), Value: it[1].text()})
	}
	return all
}
