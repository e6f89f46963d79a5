import assert from "node:assert/strict";
import test from "node:test";

import { Exchange } from "@gatehouse/plugin/test";

import * as plugin from "./plugin.js";

test("the header goes, and nothing else is touched", async () => {
  const answered = (headers: Record<string, string>) =>
    new Exchange("GET", "/", { response: { status: 200, headers } }).onResponse(plugin);
  assert.deepEqual(await answered({ "x-powered-by": "x" }), { removeHeaders: "x-powered-by" });
  assert.equal(await answered({}), undefined);
});
