import assert from "node:assert/strict";
import test from "node:test";

import { abstain, allow, deny } from "@gatehouse/plugin";
import { Exchange, Gateway, start } from "@gatehouse/plugin/test";

import * as plugin from "./plugin.js";

const config = { keys: { k1: { name: "alice", plan: "gold" } }, profiles: "http://profiles.example" };

const ask = (headers) => new Exchange("GET", "/orders/1", { headers });

test("a known key passes and tells the plan", async () => {
  await start(plugin, config);
  const exchange = ask({ "x-api-key": "k1" });
  assert.deepEqual(await exchange.authorize(plugin), allow("alice", { attributes: { plan: "gold" } }));
  assert.deepEqual(exchange.reads, ["header:x-api-key"]);
});

test("an unknown key is refused, no key is left to others", async () => {
  await start(plugin, config);
  assert.deepEqual(await ask({ "x-api-key": "k2" }).authorize(plugin), deny(403, { json: { error: "unknown key" } }));
  assert.deepEqual(
    await ask({ "x-api-key": "constructor" }).authorize(plugin),
    deny(403, { json: { error: "unknown key" } }),
  );
  assert.deepEqual(await ask({}).authorize(plugin), abstain());
});

test("the title of the profile goes upstream", async () => {
  await start(plugin, config);
  const gateway = new Gateway({ server: () => Response.json({ title: "keeper" }) });
  const exchange = new Exchange("GET", "/", { gateway, attributes: { "auth.principal": "a/b" } });
  assert.deepEqual(await exchange.onRequest(plugin), { setHeaders: { "x-profile": "keeper" } });
  assert.equal(gateway.sent[0].url, "http://profiles.example/a%2Fb");
});

test("without a profile the request goes on, and the log says why", async () => {
  await start(plugin, config);
  const gateway = new Gateway({ server: () => new Response("", { status: 404 }) });
  const exchange = new Exchange("GET", "/", { gateway, attributes: { "auth.principal": "alice" } });
  assert.equal(await exchange.onRequest(plugin), undefined);
  assert.deepEqual(gateway.log, [["warn", "no profile of alice: the answer is 404"]]);
});
