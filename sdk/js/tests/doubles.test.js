// The SDK as a plugin's author meets it in tests.

import assert from "node:assert/strict";
import test from "node:test";

import { abstain, allow, deny, logger, openBucket, reply, sameSecret, writeLine } from "@gatehouse/plugin";
import { Exchange, Gateway, start } from "@gatehouse/plugin/test";

test("an authorizer is started, asked, and its reads are known", async () => {
  let config;
  const gate = {
    init: (given) => (config = given),
    authorize: (request) => (sameSecret(request.header("x-key"), config.key) ? allow("alice") : deny(403)),
  };
  await start(gate, { key: "k1" });
  const exchange = new Exchange("GET", "/pets/1", { headers: { "X-Key": "k1" } });
  assert.deepEqual(await exchange.authorize(gate), allow("alice"));
  assert.deepEqual(exchange.reads, ["header:x-key"]);
  assert.deepEqual(await new Exchange("GET", "/").authorize(gate), deny(403));
});

test("a configuration is refused in words", async () => {
  const plugin = {
    init({ key }) {
      if (!key) throw new Error("no key");
    },
  };
  await assert.rejects(start(plugin), /no key/);
});

test("reads are those of the exchange", async () => {
  const exchange = new Exchange("POST", "/p?a=1&a=%32+3&b", {
    headers: [
      ["cookie", "c=d; e=f=g"],
      ["x-m", "1"],
      ["x-m", "2"],
      ["authorization", "bearer  tok "],
    ],
    pathParams: { id: "5" },
    attributes: { "auth.principal": "al" },
  });
  await exchange.onRequest({
    onRequest(request) {
      assert.equal(request.method, "POST");
      assert.equal(request.path, "/p");
      assert.equal(request.query, "a=1&a=%32+3&b");
      assert.equal(request.queryParam("a"), "1");
      assert.deepEqual(request.queryParams("a"), ["1", "2 3"]);
      assert.equal(request.queryParam("z"), undefined);
      assert.equal(request.pathParam("id"), "5");
      assert.equal(request.header("X-M"), "1, 2");
      assert.equal(request.header("nope"), undefined);
      assert.deepEqual(request.headerValues("x-m"), ["1", "2"]);
      assert.equal(request.cookie("e"), "f=g");
      assert.equal(request.bearer(), "tok");
      assert.equal(request.headers().length, 4);
      assert.equal(request.attribute("auth.principal"), "al");
      assert.deepEqual(request.attributes(), { "auth.principal": "al" });
      assert.deepEqual([request.scheme, request.authority, request.protocol], ["http", "localhost", "HTTP/1.1"]);
      assert.deepEqual([request.clientIp, request.route], ["127.0.0.1", "route"]);
    },
  });
  assert.ok(exchange.reads.includes("path-param:id"));
});

test("bearer is the token of that scheme only", async () => {
  const bearer = (authorization) =>
    new Exchange("GET", "/", { headers: authorization ? { authorization } : {} }).onRequest({
      onRequest: (request) => ({ query: String(request.bearer()) }),
    });
  for (const [header, token] of [
    ["Bearer a.b", "a.b"],
    ["Basic YTpi", "undefined"],
    ["Bearer", "undefined"],
    [undefined, "undefined"],
  ]) {
    assert.deepEqual(await bearer(header), { query: token });
  }
});

test("an edit with a key that nobody reads is refused", async () => {
  const edit = (said) => new Exchange("GET", "/").onRequest({ onRequest: () => said });
  assert.deepEqual(await edit({ path: "/x" }), { path: "/x" });
  assert.equal(await edit(undefined), undefined);
  assert.deepEqual(await edit(reply(418)), reply(418));
  await assert.rejects(edit({ setHeader: {} }), /no `setHeader`; it has .*setHeaders/);
  await assert.rejects(edit({ status: 200 }), /no `status`/);
  await assert.rejects(edit(allow()), /verdicts are an authorizer's/);
  await assert.rejects(edit("/x"), /is an object, not string/);
});

test("an authorizer that returns nothing is a mistake, not a verdict", async () => {
  await assert.rejects(new Exchange("GET", "/").authorize({ authorize() {} }), /returns allow/);
  await assert.rejects(new Exchange("GET", "/").authorize({ authorize: () => reply(200) }), /returns allow/);
  await assert.rejects(new Exchange("GET", "/").authorize({}), /exports no function authorize/);
});

test("bodies come when they are wanted", async () => {
  const plugin = {
    requestBodyLimit: (request) => (request.header("x-body") ? 10 : undefined),
    onRequestBody: (_, body) => ({ body: body.map((byte) => byte + 1), setHeaders: { "x-length": body.length } }),
    onResponseBody: (_request, response, body) => reply(response.status, { body }),
    onResponseChunk: (_request, _response, chunk, last) => (last ? "end" : chunk.length === 0 ? undefined : ""),
  };
  assert.equal(await new Exchange("POST", "/").onRequestBody(plugin, "abc"), undefined);
  const wanted = new Exchange("POST", "/", { headers: { "x-body": "1" }, response: { status: 201 } });
  assert.deepEqual(await wanted.onRequestBody(plugin, "abc"), {
    body: new TextEncoder().encode("bcd"),
    setHeaders: { "x-length": 3 },
  });
  assert.deepEqual(await wanted.onResponseBody(plugin, "abc"), reply(201, { body: "abc" }));
  assert.equal(await wanted.onResponseChunk(plugin, "abc", false), "");
  assert.equal(await wanted.onResponseChunk(plugin, "", true), "end");
});

test("a logger sees the end, and its lines are kept", async () => {
  const gateway = new Gateway();
  const exchange = new Exchange("GET", "/", {
    gateway,
    response: { status: 204 },
    outcome: { duration: 1.5, failure: "client_left" },
  });
  await exchange.log({
    log(request, response, outcome) {
      assert.equal(logger.enabled("debug"), true);
      logger.info(
        `${request.path} ${response.status} ${outcome.duration} ${outcome.failure} ${outcome.upstreamDuration}`,
      );
      writeLine(outcome.started.toISOString());
    },
  });
  assert.deepEqual(gateway.log, [["info", "/ 204 1.5 client_left undefined"]]);
  assert.deepEqual(gateway.output, ["2025-06-15T15:06:40.000Z"]);
});

test("fetch meets the gateway's server, or none", async () => {
  const plugin = {
    authorize: async () => allow(await (await fetch("http://users.example/1", { headers: { a: "b" } })).text()),
  };
  const gateway = new Gateway({ server: (request) => new Response(request.headers.get("a")) });
  assert.deepEqual(await new Exchange("GET", "/", { gateway }).authorize(plugin), allow("b"));
  assert.equal(gateway.sent[0].url, "http://users.example/1");
  await assert.rejects(new Exchange("GET", "/").authorize(plugin), /nothing answers/);
});

test("exchanges beside each other do not see each other", async () => {
  const plugin = {
    async authorize(request) {
      const before = request.path;
      await new Promise((resolve) => setTimeout(resolve, 5));
      assert.equal(request.path, before);
      return abstain();
    },
  };
  await Promise.all(["/a", "/b", "/c"].map((path) => new Exchange("GET", path).authorize(plugin)));
});

test("key-value state is the gateway's", async () => {
  const gateway = new Gateway();
  const count = (by) => new Exchange("GET", "/", { gateway }).run(() => openBucket("hits").increment("n", by));
  assert.deepEqual([count(), count(2)], [1, 3]);
  new Exchange("GET", "/", { gateway }).run(() => {
    const bucket = openBucket("hits");
    bucket.set("t", "text");
    assert.deepEqual(bucket.keys().sort(), ["n", "t"]);
    assert.equal(new TextDecoder().decode(bucket.get("t")), "text");
    assert.throws(() => bucket.increment("t"), /key-value store: not a number/);
    bucket.delete("t");
    assert.equal(bucket.exists("t"), false);
    assert.equal(bucket.get("t"), undefined);
  });
  assert.equal(
    new Exchange("GET", "/").run(() => openBucket("hits").increment("n")),
    1,
  );
});

test("outside of an exchange there is nothing to read", () => {
  assert.throws(() => logger.info("x"), /asked outside of one/);
});
