import assert from "node:assert/strict";
import test from "node:test";

import { allow } from "@gatehouse/plugin";
import { Exchange, start } from "@gatehouse/plugin/test";

import * as plugin from "./plugin.js";

test("the key opens, and nothing else does", async () => {
  await start(plugin, { key: "k1" });
  const exchange = new Exchange("GET", "/", { headers: { "x-key": "k1" } });
  assert.deepEqual(await exchange.authorize(plugin), allow("alice"));
  assert.deepEqual(exchange.reads, ["header:x-key"]);
  assert.equal((await new Exchange("GET", "/").authorize(plugin)).tag, "deny");
});

test("a configuration without a key is refused", async () => {
  await assert.rejects(start(plugin, {}), /`key` is a string/);
});
