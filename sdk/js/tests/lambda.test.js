// The outcomes that AWS documents for Lambda authorizers, as tests of the adapter.

import assert from "node:assert/strict";
import test from "node:test";

import { lambdaAuthorizer } from "../lambda.js";
import { Exchange, start } from "../test.js";

const ARN = "arn:aws:execute-api:local:000000000000:gatehouse/$default";

const policy = (Effect, Resource, more = {}) => ({
  principalId: "alice",
  policyDocument: { Version: "2012-10-17", Statement: [{ Action: "execute-api:Invoke", Effect, Resource }] },
  ...more,
});

/** What a function's answer to a request becomes, with what the verdict depends on. */
async function outcome(handler, { config = {}, path = "/pets/7", method = "GET", ...request } = {}) {
  const plugin = lambdaAuthorizer(() => Promise.resolve({ handler }));
  await start(plugin, config);
  const exchange = new Exchange(method, path, request);
  const { tag, val } = await exchange.authorize(plugin);
  const { principal, attributes, status, maxAge } = val;
  const text = val.body === undefined ? undefined : JSON.parse(new TextDecoder().decode(val.body));
  const told = Object.fromEntries((attributes ?? []).map(({ name, value }) => [name, value]));
  return { tag, principal, attributes: told, status, body: text, maxAge, reads: exchange.reads };
}

const TOKEN = { config: { type: "TOKEN" }, headers: { authorization: "t1" } };

const fails = (handler, message, options) => assert.rejects(outcome(handler, options), { message });

test("the event of a TOKEN authorizer, and nothing else is read", async () => {
  let seen;
  const handler = async (event) => policy("Allow", "*", { seen: (seen = { ...event }) });
  const { reads } = await outcome(handler, TOKEN);
  assert.deepEqual(seen, { type: "TOKEN", authorizationToken: "t1", methodArn: `${ARN}/GET/pets/7` });
  assert.deepEqual(reads, ["header:authorization", "method", "path"]);
  const token = await outcome(async (event) => policy(event.authorizationToken === "t1" ? "Allow" : "Deny", "*"), TOKEN);
  assert.deepEqual([token.tag, token.reads], ["allow", ["header:authorization"]]);
});

test("without an identity, or with one that the validation does not match, 401 and the function is not asked", async () => {
  const never = () => assert.fail("it was asked");
  const answer = await outcome(never, { config: { type: "TOKEN" } });
  assert.deepEqual([answer.status, answer.body, answer.maxAge], [401, { message: "Unauthorized" }, 0]);
  assert.deepEqual(answer.reads, ["header:authorization"]);
  const config = { type: "TOKEN", identity_validation: "Bearer [a-z]+" };
  assert.equal((await outcome(never, { config, headers: { authorization: "Bearer 1" } })).status, 401);
  assert.equal((await outcome(never, { config, headers: { authorization: "x Bearer a" } })).status, 401);
  for (const source of ["method.request.header.Auth", "$request.querystring.q", "stageVariables.x", "context.identity.apiKey"])
    assert.equal((await outcome(never, { config: { identity_sources: [source] } })).status, 401, source);
});

test("Allow lets pass, with the principal and the context as text", async () => {
  const context = { plan: "gold", limit: 7, admin: true };
  const { tag, principal, attributes, maxAge } = await outcome(async () =>
    policy("Allow", "*", { context, usageIdentifierKey: "k" }),
  );
  assert.deepEqual([tag, principal, maxAge], ["allow", "alice", 300]);
  assert.deepEqual(attributes, { plan: "gold", limit: "7", admin: "true", usageIdentifierKey: "k" });
});

test("Deny and no statement about the request are 403", async () => {
  const denied = await outcome(async () => policy("Deny", "*"));
  const words = "User is not authorized to access this resource";
  assert.deepEqual([denied.status, denied.body, denied.maxAge], [403, { Message: `${words} with an explicit deny` }, 300]);
  const implied = await outcome(async () => policy("Allow", `${ARN}/GET/users/*`));
  assert.deepEqual([implied.status, implied.body], [403, { Message: words }]);
});

test("a statement that denies counts more than one that allows", async () => {
  const result = policy("Allow", "*");
  result.policyDocument.Statement.push({ Action: "execute-api:*", Effect: "Deny", Resource: [`${ARN}/*/pets/*`] });
  assert.equal((await outcome(async () => result)).status, 403);
  assert.equal((await outcome(async () => result, { path: "/users" })).tag, "allow");
});

test("resources are compared with the method's ARN, and it is read only where that matters", async () => {
  const reads = async (resource, options) => {
    const { tag, reads } = await outcome(async () => policy("Allow", resource), options);
    return [tag, ...reads];
  };
  for (const all of ["*", `${ARN}/*`, "arn:aws:execute-api:*", "arn:aws:execute-api:*:*:gatehouse/*", "*:gatehouse/?default/*"])
    assert.deepEqual(await reads(all), ["allow"], all);
  for (const one of [`${ARN}/GET/pets/*`, `${ARN}/*/pets/7`, `${ARN}/???/pets/?`, ["arn:x", `${ARN}/GET/*`]])
    assert.deepEqual(await reads(one), ["allow", "method", "path"], String(one));
  for (const other of [`${ARN}/POST/*`, `${ARN}/GET/pets`, "arn:aws:execute-api:eu-west-1:*", ""])
    assert.equal((await reads(other))[0], "deny", other);
});

test("`Unauthorized`, thrown or called back, is 401 and not kept; another error is a fault", async () => {
  const all = [
    async () => { throw new Error("Unauthorized"); },
    () => { throw "Unauthorized"; },
    (_event, _context, callback) => callback("Unauthorized"),
    (_event, _context, callback) => callback(new Error("Unauthorized")),
  ];
  for (const handler of all) {
    const { status, maxAge } = await outcome(handler);
    assert.deepEqual([status, maxAge], [401, 0], String(handler));
  }
  await fails(async () => { throw new Error("Unauthorized token"); }, "Unauthorized token");
  await fails((_event, _context, callback) => callback(new Error("no database")), "no database");
});

test("a result that is none is a fault", async () => {
  const right = policy("Allow", "*");
  const [statement] = right.policyDocument.Statement;
  const changed = (change) => ({ ...right, policyDocument: { Statement: [{ ...statement, ...change }] } });
  for (const [result, message] of [
    [undefined, "the function returned no object"],
    ["Allow", "the function returned no object"],
    [{ policyDocument: right.policyDocument }, "the function's `principalId` is no string"],
    [{ principalId: "alice" }, "the function's `policyDocument` has no `Statement`"],
    [changed({ Effect: "allow" }), "a statement's `Effect` is neither Allow nor Deny"],
    [changed({ Resource: undefined }), "a statement's `Resource` is no text of at most 512 characters"],
    [changed({ Resource: "a".repeat(513) }), "a statement's `Resource` is no text of at most 512 characters"],
    [changed({ Condition: {} }), "a statement has `Condition`, which is not supported"],
    [{ ...right, context: { a: {} } }, "the function's `context.a` is neither a string, a number, true nor false"],
    [{ ...right, context: { a: null } }, "the function's `context.a` is neither a string, a number, true nor false"],
    [{ isAuthorized: true }, "the function's `principalId` is no string"],
  ])
    await fails(async () => result, message);
});

test("a callback's result counts as a promise's does", async () => {
  const later = (_event, _context, callback) => void Promise.resolve().then(() => callback(null, policy("Allow", "*")));
  assert.equal((await outcome(later)).tag, "allow");
});

test("the event of a REQUEST authorizer of a REST API", async () => {
  const request = {
    headers: [["Host", "a"], ["X-Two", "1"], ["X-Two", "2"], ["User-Agent", "u"]],
    clientIp: "192.0.2.7",
    pathParams: { id: "7" },
    route: "pets",
    path: "/pets/7?a=1&a=2&b=%20",
  };
  const config = { stage: "prod", stage_variables: { v: "1" }, account_id: "123456789012", api_id: "abc", region: "eu-west-1" };
  const handler = async (event) => {
    assert.deepEqual([event.type, event.httpMethod, event.path, event.resource], ["REQUEST", "GET", "/pets/7", "pets"]);
    assert.equal(event.methodArn, "arn:aws:execute-api:eu-west-1:123456789012:abc/prod/GET/pets/7");
    assert.deepEqual([event.headers["X-Two"], event.headers["x-two"], event.headers.none], ["2", "2", undefined]);
    assert.deepEqual(event.multiValueHeaders["X-Two"], ["1", "2"]);
    assert.deepEqual(event.queryStringParameters, { a: "2", b: " " });
    assert.deepEqual(event.multiValueQueryStringParameters, { a: ["1", "2"], b: [" "] });
    assert.deepEqual([event.pathParameters.id, event.stageVariables], ["7", { v: "1" }]);
    const { accountId, apiId, stage, identity } = event.requestContext;
    assert.deepEqual([accountId, apiId, stage], ["123456789012", "abc", "prod"]);
    assert.deepEqual([identity.sourceIp, identity.userAgent, identity.apiKey], ["192.0.2.7", "u", null]);
    assert.deepEqual(Object.keys(JSON.parse(JSON.stringify(event)).headers).sort(), ["host", "user-agent", "x-two"]);
    return policy("Allow", "*");
  };
  assert.equal((await outcome(handler, { ...request, config })).tag, "allow");
});

test("only what a function looks at is part of the key", async () => {
  const handler = async ({ headers: { Authorization: token }, httpMethod }) => policy(token ? "Allow" : "Deny", "*", { httpMethod });
  const { reads } = await outcome(handler, { headers: { authorization: "t", other: "1" } });
  assert.deepEqual(reads, ["header-values:authorization", "method"]);
});

test("version 2.0: the event of an HTTP API, and the simple response", async () => {
  const config = { payload: "2.0", identity_sources: ["$request.header.Authorization", "$context.http.sourceIp"] };
  const request = { config, headers: [["authorization", "t"], ["cookie", "a=1; b=2"], ["x", "1"], ["x", "2"]], clientIp: "192.0.2.7" };
  const handler = async (event) => {
    assert.deepEqual([event.version, event.routeKey, event.rawPath], ["2.0", "pets", "/pets/7"]);
    assert.deepEqual([event.rawQueryString, event.queryStringParameters], ["a=1&a=2", { a: "1,2" }]);
    assert.deepEqual([event.identitySource, event.cookies], [["t", "192.0.2.7"], ["a=1", "b=2"]]);
    assert.equal(event.headers.x, "1,2");
    assert.deepEqual([event.requestContext.http.method, event.requestContext.http.sourceIp], ["GET", "192.0.2.7"]);
    return { isAuthorized: true, context: { list: [1, 2], name: "n", no: null } };
  };
  const { tag, attributes, maxAge } = await outcome(handler, { ...request, path: "/pets/7?a=1&a=2", route: "pets" });
  assert.deepEqual([tag, maxAge, attributes], ["allow", 0, { list: "[1,2]", name: "n", no: "null" }]);
  const refused = await outcome(async () => ({ isAuthorized: false }), request);
  assert.deepEqual([refused.status, refused.body], [403, { message: "Forbidden" }]);
  assert.equal((await outcome(async () => policy("Allow", "*"), request)).tag, "allow");
  await fails(async () => ({ isAuthorized: "true" }), "the function's `isAuthorized` is neither true nor false", request);
});

test("the module is loaded with the environment that is configured, CommonJS too", async () => {
  const plugin = lambdaAuthorizer(async () => {
    const key = process.env.GATE_KEY;
    return { default: { check: async () => policy(key === "k1" ? "Allow" : "Deny", "*") } };
  }, "check");
  await start(plugin, { environment: { GATE_KEY: "k1" } });
  assert.equal((await new Exchange("GET", "/").authorize(plugin)).tag, "allow");
});

test("a configuration that AWS would not take is refused", async () => {
  for (const [config, message] of [
    [{ ttl: 3601 }, /`ttl` is a number of seconds from 0 to 3600/],
    [{ type: "JWT" }, /`type` is REQUEST or TOKEN/],
    [{ type: "TOKEN", payload: "2.0" }, /`payload` is 2.0/],
    [{ type: "TOKEN", identity_sources: [] }, /one header/],
    [{ identity_sources: ["request.body"] }, /request.body is no source/],
    [{ Type: "TOKEN" }, /`Type` is unknown/],
  ])
    await assert.rejects(start(lambdaAuthorizer(async () => ({ handler() {} })), config), message);
  await assert.rejects(start(lambdaAuthorizer(async () => ({})), {}), /exports no function handler/);
});
