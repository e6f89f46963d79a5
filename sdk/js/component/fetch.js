// `fetch` over `wasi:http`: a part of the Fetch standard. Requests are under way as soon as `fetch` is called, so several run
// side by side; an answer's body is read whole when the answer is waited for.

import { asked, text } from "../src/host.js";
import { bytes, options } from "../src/values.js";
import { addWait } from "./jobs.js";

/** What `blocking-write-and-flush` takes at once. */
const WRITE = 4096;
const READ = 65536;
const METHODS = ["get", "head", "post", "put", "delete", "options", "patch"];

/** Gives handles of the gateway's back, in this order: one that others are made of has to go after them. */
const giveBack = (...handles) => handles.forEach((handle) => handle[Symbol.dispose]());

export class AbortSignal {
  static timeout(milliseconds) {
    return Object.assign(new AbortSignal(), { milliseconds });
  }
}

export class Headers {
  #fields = [];

  constructor(init = []) {
    const pairs = Symbol.iterator in Object(init) ? init : Object.entries(init);
    for (const [name, value] of pairs) this.append(name, value);
  }
  append(name, value) {
    this.#fields.push([String(name).toLowerCase(), String(value).trim()]);
  }
  set(name, value) {
    this.delete(name);
    this.append(name, value);
  }
  delete(name) {
    this.#fields = this.#fields.filter(([key]) => key !== String(name).toLowerCase());
  }
  get(name) {
    const values = this.#fields.filter(([key]) => key === String(name).toLowerCase()).map(([, value]) => value);
    return values.length > 0 ? values.join(", ") : null;
  }
  has(name) {
    return this.get(name) !== null;
  }
  getSetCookie() {
    return this.#fields.filter(([key]) => key === "set-cookie").map(([, value]) => value);
  }
  forEach(call) {
    for (const [name, value] of this) call(value, name, this);
  }
  *[Symbol.iterator]() {
    for (const name of [...new Set(this.#fields.map(([name]) => name))].sort()) yield [name, this.get(name)];
  }
  entries() {
    return this[Symbol.iterator]();
  }
}

export class Response {
  #body;

  constructor(body, { status = 200, statusText = "", headers } = {}) {
    this.#body = body === undefined || body === null ? new Uint8Array() : bytes(body);
    this.status = status;
    this.statusText = statusText;
    this.ok = status >= 200 && status <= 299;
    this.headers = new Headers(headers);
    this.redirected = false;
    this.url = "";
    this.bodyUsed = false;
  }
  async bytes() {
    if (this.bodyUsed) throw new TypeError("the body was read before");
    this.bodyUsed = true;
    return this.#body;
  }
  async arrayBuffer() {
    const bytes = await this.bytes();
    return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  }
  async text() {
    return new TextDecoder().decode(await this.bytes());
  }
  async json() {
    return JSON.parse(await this.text());
  }
}

export async function fetch(url, init = {}) {
  const http = asked("http", "fetch");
  const {
    method = "GET",
    headers,
    body,
    signal,
  } = options(init, ["method", "headers", "body", "signal"], "what fetch is told");
  const sent = send(http, { method: String(method), url: String(url), headers: new Headers(headers), body, signal });
  const { promise, resolve, reject } = Promise.withResolvers();
  addWait({
    block() {
      try {
        resolve(received(sent, String(url)));
      } catch (error) {
        reject(error);
      }
    },
    drop: () => giveBack(sent),
  });
  return promise;
}

/** Hands a request to the gateway: the answer that is to come. */
function send({ types, outgoingHandler }, { method, url, headers, body, signal }) {
  const [, scheme, authority, target] = /^(https?):\/\/([^/?#]+)([^#]*)/i.exec(url) ?? [];
  if (!scheme) throw new TypeError(`this is no URL that can be fetched: ${url}`);
  const content = body === undefined || body === null ? undefined : bytes(body);
  if (typeof body === "string" && !headers.has("content-type")) headers.set("content-type", "text/plain;charset=UTF-8");
  return told(() => {
    const request = new types.OutgoingRequest(
      types.Fields.fromList([...headers].map(([name, value]) => [text(name), isomorphic(name, value)])),
    );
    const known = METHODS.find((known) => known === method.toLowerCase());
    request.setMethod(known ? { tag: known } : { tag: "other", val: text(method) });
    request.setScheme({ tag: scheme.toUpperCase() });
    request.setAuthority(text(authority));
    request.setPathWithQuery(text(target.startsWith("/") ? target : `/${target}`));
    const within = limits(types, signal);
    const outgoing = content && request.body();
    const sent = outgoingHandler.handle(request, within);
    if (outgoing) write(types, outgoing, content);
    return sent;
  });
}

/** A character of a header's value stands for the byte of the same number, as everywhere in the contract. */
function isomorphic(name, value) {
  return Uint8Array.from(value, (character) => {
    if (character > "\xff") throw new TypeError(`the header ${name}: a character is above U+00FF`);
    return character.charCodeAt(0);
  });
}

function limits(types, signal) {
  if (signal === undefined || signal === null) return undefined;
  if (!(signal instanceof AbortSignal))
    throw new TypeError("the only `signal` that fetch knows here is AbortSignal.timeout(...)");
  const nanoseconds = Math.round(signal.milliseconds * 1e6);
  const limits = new types.RequestOptions();
  limits.setConnectTimeout(nanoseconds);
  limits.setFirstByteTimeout(nanoseconds);
  limits.setBetweenBytesTimeout(nanoseconds);
  return limits;
}

function write(types, outgoing, content) {
  const stream = outgoing.write();
  try {
    for (let at = 0; at < content.length; at += WRITE) stream.blockingWriteAndFlush(content.slice(at, at + WRITE));
  } catch (error) {
    // The server may answer before it has read everything.
    if (error.payload?.tag !== "closed") throw error;
  } finally {
    giveBack(stream);
  }
  types.OutgoingBody.finish(outgoing, undefined);
}

/** Waits for the answer, and reads it. */
function received(sent, url) {
  const ready = sent.subscribe();
  ready.block();
  giveBack(ready);
  const { val: result } = sent.get();
  giveBack(sent);
  if (result.tag === "err") throw failure(result.val);
  const answer = result.val;
  const fields = answer.headers();
  const headers = fields.entries().map(([name, value]) => [name, String.fromCharCode(...value)]);
  const status = answer.status();
  const body = answer.consume();
  const stream = body.stream();
  try {
    const content = told(() => read(stream));
    return Object.assign(new Response(content, { status, headers }), { url });
  } finally {
    giveBack(fields, stream, body, answer);
  }
}

function read(stream) {
  const pieces = [];
  for (;;) {
    try {
      pieces.push(stream.blockingRead(READ));
    } catch (error) {
      if (error.payload?.tag !== "closed") throw error;
      break;
    }
  }
  if (pieces.length === 1) return pieces[0];
  const all = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/** What the gateway refuses, as the error that `fetch` has for it. */
function told(call) {
  try {
    return call();
  } catch (error) {
    throw "payload" in Object(error) ? failure(error.payload) : error;
  }
}

function failure(code) {
  const { tag, val } = Object(code);
  const words = tag === "last-operation-failed" ? val.toDebugString() : (tag ?? "it was refused");
  if (/timeout/i.test(words)) return new DOMException(`fetch took too long: ${words}`, "TimeoutError");
  return new TypeError(`fetch failed: ${words}${typeof val === "string" ? ` (${val})` : ""}`);
}
