package gatehouse

import "gatehouse/internal/host"

// Bucket is a collection of keys and values that the instances of a plugin share. Plugins do not see each other's.
//
// Get tells whether the key is there. Set fails when the state would outgrow the plugin's limits.keyvalue_bytes. Keys are in no
// particular order. Increment adds to a number in one step and gives the sum; an absent key counts as 0.
type Bucket = host.Bucket

// OpenBucket opens a bucket by its name; a new one is empty. Needs asks = ["keyvalue"] in plugin.toml and the grant.
func OpenBucket(name string) (Bucket, error) { return host.Open(name) }
