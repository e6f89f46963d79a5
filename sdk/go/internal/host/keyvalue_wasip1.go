package host

import (
	"errors"
	"unsafe"
)

//go:wasmimport wasi:keyvalue/store@0.2.0-draft2 open
func storeOpen(string, unsafe.Pointer)

//go:wasmimport wasi:keyvalue/store@0.2.0-draft2 [method]bucket.get
func bucketGet(int32, string, unsafe.Pointer)

//go:wasmimport wasi:keyvalue/store@0.2.0-draft2 [method]bucket.set
func bucketSet(int32, string, unsafe.Pointer, uint32, unsafe.Pointer)

//go:wasmimport wasi:keyvalue/store@0.2.0-draft2 [method]bucket.delete
func bucketDelete(int32, string, unsafe.Pointer)

//go:wasmimport wasi:keyvalue/store@0.2.0-draft2 [method]bucket.exists
func bucketExists(int32, string, unsafe.Pointer)

//go:wasmimport wasi:keyvalue/store@0.2.0-draft2 [method]bucket.list-keys
func bucketListKeys(int32, int32, string, unsafe.Pointer)

//go:wasmimport wasi:keyvalue/atomics@0.2.0-draft2 increment
func atomicsIncrement(int32, string, int64, unsafe.Pointer)

// A bucket's handle. It is kept as long as the instance.
type bucket int32

// The gateway bounds how many handles an instance has, so each name is opened once.
var opened = map[string]bucket{}

// Open opens a bucket.
func Open(name string) (Bucket, error) {
	if it, ok := opened[name]; ok {
		return it, nil
	}
	storeOpen(valid(name), result())
	if err := failure(1); err != nil {
		return nil, err
	}
	opened[name] = bucket(area.words[1])
	return opened[name], nil
}

// The error of a result whose value begins at a word.
func failure(value int) error {
	if !set(0) {
		return nil
	}
	defer release()
	switch byte(area.words[value]) {
	case 0:
		return errors.New("key-value store: no such store")
	case 1:
		return errors.New("key-value store: access denied")
	default:
		return errors.New("key-value store: " + at(value+1).text())
	}
}

func (b bucket) Get(key string) ([]byte, bool, error) {
	bucketGet(int32(b), valid(key), result())
	if err := failure(1); err != nil {
		return nil, false, err
	}
	defer release()
	if !set(1) {
		return nil, false, nil
	}
	return append([]byte(nil), at(2).bytes()...), true, nil
}

func (b bucket) Set(key string, value []byte) error {
	bucketSet(int32(b), valid(key), unsafe.Pointer(unsafe.SliceData(value)), uint32(len(value)), result())
	return failure(1)
}

func (b bucket) Delete(key string) error {
	bucketDelete(int32(b), valid(key), result())
	return failure(1)
}

func (b bucket) Exists(key string) (bool, error) {
	bucketExists(int32(b), valid(key), result())
	return set(1), failure(1)
}

// The gateway gives all keys at once.
func (b bucket) Keys() ([]string, error) {
	bucketListKeys(int32(b), 0, "", result())
	if err := failure(1); err != nil {
		return nil, err
	}
	return texts(at(1)), nil
}

func (b bucket) Increment(key string, delta int64) (int64, error) {
	atomicsIncrement(int32(b), valid(key), delta, result())
	return int64(wide(2)), failure(2)
}
