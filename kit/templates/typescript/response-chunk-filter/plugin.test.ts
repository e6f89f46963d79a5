import assert from "node:assert/strict";
import test from "node:test";

import { Exchange } from "@gatehouse/plugin/test";

import * as plugin from "./plugin.js";

test("the bytes of an exchange are counted to its end", async () => {
  for (let time = 0; time < 2; time++) {
    const exchange = new Exchange("GET", "/a");
    assert.equal(await exchange.onResponseChunk(plugin, "abc", false), undefined);
    assert.equal(await exchange.onResponseChunk(plugin, "de", true), undefined);
    assert.deepEqual(exchange.gateway.log, [["info", "/a: 5 bytes"]]);
  }
});
