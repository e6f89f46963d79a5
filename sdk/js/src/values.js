// What authors write, checked and brought into the contract's form. A mistake is a TypeError or RangeError here, where its
// place in the author's code is known, and not a trap at the component's edge.

import { text } from "./host.js";

const scalar = new Set(["string", "number", "boolean", "bigint"]);

function string(value, what) {
  if (!scalar.has(typeof value)) throw new TypeError(`${what} is a string, not ${kind(value)}`);
  return text(value);
}

function kind(value) {
  return value === null
    ? "null"
    : Array.isArray(value)
      ? "an array"
      : typeof value === "object"
        ? "an object"
        : typeof value;
}

/** Refuses keys that nobody reads: a misspelt one would silently do nothing. */
export function options(given, known, what) {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new TypeError(`${what} is an object, not ${kind(given)}`);
  }
  for (const key of Object.keys(given)) {
    if (!known.includes(key)) throw new TypeError(`${what} has no \`${key}\`; it has ${known.join(", ")}`);
  }
  return given;
}

export function optionalString(value, what) {
  return value === undefined || value === null ? undefined : string(value, what);
}

export function whole(value, least, most, what) {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new RangeError(`${what} is a whole number from ${least} to ${most}, not ${String(value)}`);
  }
  return value;
}

export function bytes(value) {
  if (typeof value === "string") return new TextEncoder().encode(value);
  if (value instanceof Uint8Array) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  throw new TypeError(`a body is a string or a Uint8Array, not ${kind(value)}`);
}

/** `{ name: value }`, `{ name: [value, value] }` or `[[name, value]]`, as header fields. */
export function fields(given = {}) {
  const fields = [];
  for (const [name, values] of Array.isArray(given) ? given : Object.entries(given)) {
    for (const value of Array.isArray(values) ? values : [values]) {
      fields.push({ name: text(name), value: string(value, `the header ${name}`) });
    }
  }
  return fields;
}

/** Removals first, so that what is set or appended beside them stays. */
export function headerEdits({ setHeaders, appendHeaders, removeHeaders = [] }) {
  return [
    ...[removeHeaders].flat().map((name) => ({ tag: "remove", val: string(name, "the name of a header") })),
    ...fields(setHeaders).map((val) => ({ tag: "set", val })),
    ...fields(appendHeaders).map((val) => ({ tag: "append", val })),
  ];
}

export function attributes(given = {}) {
  return Object.entries(given)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ({ name: text(name), value: string(value, `the attribute ${name}`) }));
}

export function answer(status, { headers, body, json }) {
  const all = fields(headers);
  if (json === undefined) return { status, headers: all, body: body === undefined ? new Uint8Array() : bytes(body) };
  if (body !== undefined) throw new TypeError("an answer has a `body` or `json`, not both");
  if (!all.some(({ name }) => name.toLowerCase() === "content-type")) {
    all.push({ name: "content-type", value: "application/json" });
  }
  return { status, headers: all, body: bytes(JSON.stringify(json)) };
}
