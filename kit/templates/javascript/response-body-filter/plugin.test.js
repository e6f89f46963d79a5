import assert from "node:assert/strict";
import test from "node:test";

import { Exchange } from "@gatehouse/plugin/test";

import * as plugin from "./plugin.js";

const answered = (type, body) =>
  new Exchange("GET", "/", { response: { status: 200, headers: { "content-type": type } } }).onResponseBody(
    plugin,
    body,
  );

test("the field goes, and nothing else is touched", async () => {
  assert.deepEqual(await answered("application/json", '{"name":"a","password":"b"}'), { body: '{"name":"a"}' });
  assert.equal(await answered("application/json", '{"name":"a"}'), undefined);
  assert.equal(await answered("text/plain", "password"), undefined);
});
