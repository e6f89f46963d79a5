// The component's end, with its imports replaced: exports, promises, text, HTTP.

import assert from "node:assert/strict";
import test from "node:test";

import { bind, exports } from "../component.js";
import { Headers, Response, fetch } from "../component/fetch.js";
import { addWait, queueJob, settle } from "../component/jobs.js";
import { JobPromise } from "../component/promise.js";
import { TextDecoder, TextEncoder } from "../component/text.js";

// The engine has them, and older ones of Node do not.
Uint8Array.fromBase64 ??= (text) => new Uint8Array(Buffer.from(text, "base64"));
Uint8Array.prototype.toBase64 ??= function () {
  return Buffer.from(this).toString("base64");
};
Symbol.dispose ??= Symbol("dispose");
String.prototype.toWellFormed ??= String.prototype.toString;

const nowhere = () => "";

test("a module exports just the hooks that are listed", () => {
  const made = exports({ authorize() {}, init() {} }, ["authorizer"], { name: "gate" }, nowhere);
  assert.deepEqual(Object.keys(made), ["lifecycle", "authorizer"]);
  assert.deepEqual(made.lifecycle.describe(), { name: "gate" });
  assert.throws(
    () => exports({}, ["authorizer"], {}, nowhere),
    /exports no function authorize, as the hook authorizer needs/,
  );
  assert.throws(
    () => exports({ authorize() {}, onRequest() {} }, ["authorizer"], {}, nowhere),
    /has no request-filter/,
  );
  const body = exports({ onRequestBody() {} }, ["requestBodyFilter"], {}, nowhere).requestBodyFilter;
  assert.equal(body.requestBodyLimit(), Number.MAX_SAFE_INTEGER);
});

test("what is thrown becomes words with the place", () => {
  const said = (error) => {
    const { init } = exports(
      {
        init() {
          throw error;
        },
      },
      [],
      {},
      () => "\n7=plugin.js:5\n\n77=plugin.js:12\n",
    ).lifecycle;
    try {
      init("{}");
    } catch (words) {
      return words;
    }
  };
  const at = (line) =>
    Object.assign(new TypeError("no"), { stack: `    at allow (bundle.js:1:9)\n    at init (bundle.js:${line}:3)\n` });
  assert.equal(said(at(77)), "TypeError: no (plugin.js:12)");
  assert.equal(said(at(7)), "TypeError: no (plugin.js:5)");
  assert.equal(said(at(6)), "TypeError: no");
  assert.equal(said("text"), "text");
});

test("a hook's promise is settled before it returns", () => {
  const order = [];
  const value = settle(
    new JobPromise((resolve) => resolve(1))
      .then((one) => (order.push("job"), one + 1))
      .finally(() => order.push("finally")),
  );
  assert.equal(value, 2);
  assert.deepEqual(order, ["job", "finally"]);
  assert.throws(() => settle(JobPromise.reject(new Error("no"))), /no/);
  assert.throws(() => settle(new JobPromise(() => {})), /nothing will settle/);
  assert.equal(settle(5), 5);
});

test("what a hook does not wait for ends with it", () => {
  let ran = false;
  let dropped = false;
  queueJob(() => (ran = true));
  addWait({ block: () => assert.fail("waited"), drop: () => (dropped = true) });
  settle(1);
  settle(JobPromise.resolve(2));
  assert.deepEqual([ran, dropped], [false, true]);
});

test("promises gather as in the language", () => {
  const later = (value) => JobPromise.resolve().then(() => value);
  assert.deepEqual(settle(JobPromise.all([1, later(2), later(3)])), [1, 2, 3]);
  assert.deepEqual(settle(JobPromise.all([])), []);
  assert.equal(settle(JobPromise.race([new JobPromise(() => {}), later(2)])), 2);
  assert.equal(settle(JobPromise.any([JobPromise.reject(1), later(2)])), 2);
  assert.throws(() => settle(JobPromise.any([JobPromise.reject(1)])), AggregateError);
  assert.deepEqual(settle(JobPromise.allSettled([later(1), JobPromise.reject(2)])), [
    { status: "fulfilled", value: 1 },
    { status: "rejected", reason: 2 },
  ]);
  assert.equal(settle(JobPromise.try((value) => value, 4)), 4);
  const { promise, resolve } = JobPromise.withResolvers();
  resolve(later(5));
  assert.equal(settle(promise), 5);
  const itself = new JobPromise((resolve) => queueJob(() => resolve(itself)));
  assert.throws(() => settle(itself), /resolved with itself/);
});

test("text is UTF-8, as the platform's", () => {
  const samples = ["", "plain", "é€😀", "\ufeffmark", "\0\x7f\x80"];
  for (const sample of samples) {
    const bytes = new globalThis.TextEncoder().encode(sample);
    assert.deepEqual(new TextEncoder().encode(sample), bytes);
    assert.equal(new TextDecoder().decode(bytes), new globalThis.TextDecoder().decode(bytes));
  }
  for (const wrong of [
    [0xff],
    [0xe2, 0x82],
    [0xe2, 0x82, 0x41],
    [0xf0, 0x9f, 0x98],
    [0xed, 0xa0, 0x80],
    [0xc0, 0x80],
    [0x61, 0xf4, 0x90, 0x80, 0x80, 0x62],
  ]) {
    const bytes = Uint8Array.from(wrong);
    assert.equal(new TextDecoder().decode(bytes), new globalThis.TextDecoder().decode(bytes), wrong.join());
    assert.throws(() => new TextDecoder("utf-8", { fatal: true }).decode(bytes), TypeError);
  }
  assert.throws(() => new TextDecoder("utf-16"), RangeError);
});

test("headers are found by any case, and come sorted and joined", () => {
  const headers = new Headers([
    ["B", "2"],
    ["a", " 1 "],
    ["b", "3"],
  ]);
  assert.deepEqual(
    [...headers],
    [
      ["a", "1"],
      ["b", "2, 3"],
    ],
  );
  assert.deepEqual([headers.get("A"), headers.get("c"), headers.has("b")], ["1", null, true]);
});

test("a body is read once", async () => {
  const response = new Response('{"a":1}', { status: 201 });
  assert.deepEqual(await response.json(), { a: 1 });
  await assert.rejects(response.text(), /read before/);
});

test("fetch needs the grant, and a URL that it knows", async () => {
  bind({});
  await assert.rejects(fetch("http://a.example/"), /asks = \["http"\]/);
  bind({ http: {} });
  await assert.rejects(fetch("ftp://a.example/"), /no URL that can be fetched/);
  await assert.rejects(fetch("http://a.example/", { redirect: "follow" }), /no `redirect`/);
});
