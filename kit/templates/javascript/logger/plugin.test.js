import assert from "node:assert/strict";
import test from "node:test";

import { Exchange } from "@gatehouse/plugin/test";

import * as plugin from "./plugin.js";

test("an exchange becomes a line", async () => {
  const exchange = new Exchange("GET", "/pets", { response: { status: 200 }, outcome: { duration: 1.5 } });
  await exchange.log(plugin);
  assert.deepEqual(exchange.gateway.log, [["info", "GET /pets 200 1.5 ms"]]);
});
