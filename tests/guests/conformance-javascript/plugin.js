// The subject of the battery that runs in every language: it does what a request wants done, which that says in headers.

import { abstain, allow, deny, logger, reply, sameSecret } from "@gatehouse/plugin";

let config;
let seen = 0;
let counted = 0;

export function init(given) {
  const { secret, url, ...unknown } = given;
  for (const key of Object.keys(unknown)) throw new Error(`unknown key \`${key}\``);
  if (typeof secret !== "string" || secret === "") throw new Error("`secret` is a string that is not empty");
  if (url !== undefined && typeof url !== "string") throw new Error("`url` is a string");
  config = { secret, url };
}

export async function authorize(request) {
  seen++;
  switch (request.header("x-act")) {
    case "key":
      return key(request);
    case "deny":
      return deny(402, {
        headers: { "x-reason": "money", "www-authenticate": "Pay" },
        body: "no money",
        reason: "out of money",
      });
    case "abstain":
      return abstain();
    case "error":
      throw new Error("the subject was asked to fail");
    case "loop":
      for (;;);
    case "echo":
      return echo(request);
    case "fetch":
      return fetched();
    default:
      return allow("alice", { attributes: { plan: "gold", seen }, setHeaders: { "x-verdict": "allow" }, maxAge: 0 });
  }
}

function key(request) {
  if (sameSecret(request.header("x-key"), config.secret))
    return allow("key-holder", { attributes: { seen }, maxAge: 60 });
  return deny(403, { json: { error: "unknown key" }, maxAge: 0 });
}

function echo(request) {
  return allow(undefined, {
    setHeaders: {
      "x-method": request.method,
      "x-path": request.path,
      "x-query": request.query ?? "-",
      "x-q": request.queryParam("q") ?? "-",
      "x-qs": request.queryParams("q").join("|"),
      "x-p": request.pathParam("p") ?? "-",
      "x-scheme": request.scheme,
      "x-bytes": request.header("x-bytes") ?? "-",
      "x-cookie": request.cookie("c") ?? "-",
      "x-bearer": request.bearer() ?? "-",
      "x-values": request.headerValues("x-multi").join("|"),
      "x-client": request.clientIp,
      "x-route": request.route,
    },
    appendHeaders: { "x-appended": ["1", "2"] },
    removeHeaders: "x-gone",
    maxAge: 0,
  });
}

async function fetched() {
  try {
    const answer = await fetch(config.url, { headers: { "x-from": "subject" } });
    return allow(undefined, { setHeaders: { "x-fetched": `${answer.status} ${await answer.text()}` } });
  } catch {
    return deny(503, { body: "fetch failed" });
  }
}

export function onRequest(request) {
  switch (request.header("x-edit")) {
    case "edit":
      return {
        method: "PUT",
        path: "/edited",
        query: "a=b",
        setHeaders: { "x-set": "1" },
        appendHeaders: { "x-multi": "3" },
        removeHeaders: "x-gone",
        attributes: { note: "edited" },
      };
    case "respond":
      return reply(418, { headers: { "x-teapot": "yes" }, body: "short and stout" });
    case "error":
      throw new Error("the filter was asked to fail");
  }
}

export function requestBodyLimit(request) {
  const what = request.header("x-body");
  if (what === "trap") throw new Error("the subject was asked to crash");
  return what === undefined ? undefined : 65536;
}

export function onRequestBody(request, body) {
  switch (request.header("x-body")) {
    case "double": {
      const twice = new Uint8Array(2 * body.length);
      twice.set(body);
      twice.set(body, body.length);
      return { body: twice };
    }
    case "respond":
      return reply(422, { body: `${body.length} bytes` });
    case "error":
      throw new Error("the body was asked to fail");
  }
}

export function onResponse(request, response) {
  switch (request.header("x-answer")) {
    case "edit":
      return {
        status: 203,
        setHeaders: { "x-upstream-status": response.status },
        removeHeaders: "x-gone",
        attributes: { answered: "yes" },
      };
    case "replace":
      return reply(503, { body: "replaced" });
  }
}

export function onResponseChunk(request, response, chunk, last) {
  switch (request.header("x-chunks")) {
    case "upper":
      return chunk.map((byte) => (byte >= 0x61 && byte <= 0x7a ? byte - 0x20 : byte));
    case "count": {
      counted += chunk.length;
      if (!last) return "";
      const total = String(counted);
      counted = 0;
      return total;
    }
  }
}

export function log(request, response, outcome) {
  logger.info(`subject: ${response.status} ${request.attribute("auth.principal") ?? "-"} ${outcome.failure ?? "-"}`);
}
