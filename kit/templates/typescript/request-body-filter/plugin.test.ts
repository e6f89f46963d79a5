import assert from "node:assert/strict";
import test from "node:test";

import { Exchange } from "@gatehouse/plugin/test";

import * as plugin from "./plugin.js";

const post = (type: string, body: string) =>
  new Exchange("POST", "/", { headers: { "content-type": type } }).onRequestBody(plugin, body);

test("JSON passes, and what is not meant as JSON", async () => {
  assert.equal(await post("application/json", "{}"), undefined);
  assert.equal(await post("text/plain", "{"), undefined);
});

test("broken JSON is refused", async () => {
  assert.notEqual(await post("application/json", "{"), undefined);
});
