import assert from "node:assert/strict";
import test from "node:test";

import { Exchange } from "@gatehouse/plugin/test";

import * as plugin from "./plugin.js";

test("the upstream is told the client's address", async () => {
  const edit = await new Exchange("GET", "/", { clientIp: "192.0.2.7" }).onRequest(plugin);
  assert.deepEqual(edit, { setHeaders: { "x-caller": "192.0.2.7" } });
});
