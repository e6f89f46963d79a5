// What an author expects to be there and the engine does not have, each a part of its standard. It is imported before the
// author's module.

import { host, isThere } from "../src/host.js";
import { logger } from "../src/logger.js";
import { words } from "./errors.js";
import { AbortSignal, Headers, Response, fetch } from "./fetch.js";
import { queueJob } from "./jobs.js";
import { JobPromise } from "./promise.js";
import { TextDecoder, TextEncoder } from "./text.js";

function shown(value) {
  if (typeof value === "string") return value;
  if (value instanceof Error) return words(value);
  try {
    return (typeof value === "object" ? JSON.stringify(value) : undefined) ?? String(value);
  } catch {
    return String(value);
  }
}

const line =
  (level) =>
  (...values) =>
    logger[level](values.map(shown).join(" "));

const console = {
  log: line("info"),
  ...Object.fromEntries(["trace", "debug", "info", "warn", "error"].map((it) => [it, line(it)])),
};

const crypto = {
  getRandomValues(array) {
    const bytes = host().random.getRandomBytes(array.byteLength);
    new Uint8Array(array.buffer, array.byteOffset, array.byteLength).set(bytes);
    return array;
  },
  randomUUID() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    return bytes.toHex().replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  },
};

/** The engine's own goes on from the same seed in every instance: a component is a picture of an engine that has started. */
const seeded = Math.random;

function random() {
  if (!isThere()) return seeded();
  const [high, low] = crypto.getRandomValues(new Uint32Array(2));
  return (high * 2 ** 21 + (low >>> 11)) / 2 ** 53;
}

/** The engine's own gives a promise of the engine's, which would never settle: see jobs.js. */
async function fromAsync(items, map = (item) => item) {
  const all = [];
  for await (const item of items) all.push(await map(item, all.length));
  return all;
}

Math.random = random;
Array.fromAsync = fromAsync;
delete globalThis.AsyncDisposableStack;
Object.assign(globalThis, {
  AbortSignal,
  Headers,
  Promise: JobPromise,
  Response,
  TextDecoder,
  TextEncoder,
  console,
  crypto,
  fetch,
});
globalThis.queueMicrotask = (job) => queueJob(() => job());
