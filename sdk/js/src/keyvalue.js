// State that the instances of a plugin share, by `wasi:keyvalue`.

import { asked, text } from "./host.js";
import { bytes } from "./values.js";

/** What a store says of a failure, as an Error. */
function tried(call) {
  try {
    return call();
  } catch (error) {
    const { tag, val } = error?.payload ?? {};
    if (!tag) throw error;
    throw new Error(`key-value store: ${tag === "other" ? val : tag}`);
  }
}

class Bucket {
  #store;
  #atomics;

  constructor(store, atomics) {
    this.#store = store;
    this.#atomics = atomics;
  }
  get(key) {
    return tried(() => this.#store.get(text(key))) ?? undefined;
  }
  set(key, value) {
    tried(() => this.#store.set(text(key), bytes(value)));
  }
  delete(key) {
    tried(() => this.#store.delete(text(key)));
  }
  exists(key) {
    return tried(() => this.#store.exists(text(key)));
  }
  keys() {
    return tried(() => this.#store.listKeys(undefined).keys);
  }
  increment(key, delta = 1) {
    if (!Number.isSafeInteger(delta)) throw new TypeError("what is added is a whole number");
    return Number(tried(() => this.#atomics.increment(this.#store, text(key), delta)));
  }
}

/** Opened once a name and instance: each is a handle of the gateway's, of which there is a limited number. */
const open = new WeakMap();

export function openBucket(name) {
  const keyvalue = asked("keyvalue", "openBucket");
  const buckets = open.get(keyvalue) ?? new Map();
  open.set(keyvalue, buckets);
  let bucket = buckets.get(name);
  if (!bucket) {
    bucket = new Bucket(
      tried(() => keyvalue.store.open(text(name))),
      keyvalue.atomics,
    );
    buckets.set(name, bucket);
  }
  return bucket;
}
