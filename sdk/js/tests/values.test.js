// What is built is the contract's, or is refused where it is built.

import assert from "node:assert/strict";
import test from "node:test";

import { abstain, allow, deny, reply, sameSecret } from "@gatehouse/plugin";

test("a grant has what it was given, removals first", () => {
  const { tag, val } = allow("alice", {
    attributes: { plan: "gold", seen: 3, none: undefined },
    setHeaders: { "x-a": "1" },
    appendHeaders: { "x-b": ["1", 2] },
    removeHeaders: ["x-a", "x-c"],
    maxAge: 60,
  });
  assert.equal(tag, "allow");
  assert.equal(val.principal, "alice");
  assert.deepEqual(val.attributes, [
    { name: "plan", value: "gold" },
    { name: "seen", value: "3" },
  ]);
  assert.deepEqual(val.requestHeaders, [
    { tag: "remove", val: "x-a" },
    { tag: "remove", val: "x-c" },
    { tag: "set", val: { name: "x-a", value: "1" } },
    { tag: "append", val: { name: "x-b", value: "1" } },
    { tag: "append", val: { name: "x-b", value: "2" } },
  ]);
  assert.equal(val.maxAge, 60);
  assert.equal(allow().val.principal, undefined);
});

test("a denial is answered with exactly what it says", () => {
  const { val } = deny(403, { json: { error: "no" }, headers: [["x-a", "1"]], reason: "why" });
  assert.equal(new TextDecoder().decode(val.body), '{"error":"no"}');
  assert.deepEqual(val.headers, [
    { name: "x-a", value: "1" },
    { name: "content-type", value: "application/json" },
  ]);
  assert.equal(val.reason, "why");
  const problem = deny(403, { json: {}, headers: { "Content-Type": "application/problem+json" } });
  assert.equal(problem.val.headers.length, 1);
  assert.equal(abstain().tag, "abstain");
});

test("what the contract cannot carry is refused", () => {
  for (const [build, says] of [
    [() => allow({}), /the principal is a string, not an object/],
    [() => allow("a", { maxage: 1 }), /no `maxage`/],
    [() => allow("a", { maxAge: -1 }), /maxAge is a whole number/],
    [() => allow("a", { attributes: { roles: ["x"] } }), /the attribute roles is a string, not an array/],
    [() => allow("a", { setHeaders: { "x-a": null } }), /the header x-a is a string, not null/],
    [() => deny(200), /from 400 to 599, not 200/],
    [() => deny("403"), /from 400 to 599/],
    [() => deny(403, { body: "a", json: 1 }), /not both/],
    [() => reply(404, { body: 5 }), /a body is a string or a Uint8Array, not number/],
    [() => reply(100), /from 200 to 599/],
  ]) {
    assert.throws(build, says);
  }
});

test("half a surrogate pair does not reach the component's edge", () => {
  if (!"".isWellFormed) return;
  assert.equal(allow("a\ud800").val.principal, "a\ufffd");
});

test("secrets are the same when all of them is, and never when empty", () => {
  assert.equal(sameSecret("k1", "k1"), true);
  for (const [a, b] of [
    ["k1", "k2"],
    ["k1", "k11"],
    ["", ""],
    [undefined, undefined],
    ["k", undefined],
  ]) {
    assert.equal(sameSecret(a, b), false);
  }
});
