// Doubles of the gateway, to test a plugin with plain `node --test`. Exchanges run beside each other as their tests do: which
// one a read belongs to goes with the asynchronous call.

import { AsyncLocalStorage } from "node:async_hooks";

import { bind } from "./src/host.js";
import { hooks } from "./src/hooks.js";
import { functions } from "./src/doubles.js";

const current = new AsyncLocalStorage();

function gateway() {
  const gateway = current.getStore()?.gateway;
  if (!gateway)
    throw new Error("the gateway was asked outside of one: in a test, call the plugin through Exchange or start");
  return gateway;
}

function exchange() {
  const exchange = current.getStore()?.exchange;
  if (!exchange)
    throw new Error("the request was read outside of an exchange: in a test, call the plugin through Exchange");
  return exchange;
}

bind(functions(gateway, exchange));

const networks = globalThis.fetch;
globalThis.fetch = async (url, init) => {
  if (!current.getStore()) return networks(url, init);
  const { sent, server } = gateway();
  const request = new globalThis.Request(url, init);
  sent.push(request);
  if (!server) throw new TypeError(`fetch failed: nothing answers ${url}`);
  return server(request);
};

export class Gateway {
  constructor({ server } = {}) {
    this.server = server;
    this.sent = [];
    this.log = [];
    this.output = [];
    this.buckets = new Map();
  }
}

export async function start(plugin, config = {}, gateway = new Gateway()) {
  await current.run({ gateway }, () => plugin.init?.(JSON.parse(JSON.stringify(config))));
}

export class Exchange {
  constructor(method, target, told = {}) {
    const [path, ...query] = target.split("?");
    this.request = {
      method,
      path,
      query: query.length > 0 ? query.join("?") : undefined,
      scheme: "http",
      authority: "localhost",
      protocol: "HTTP/1.1",
      clientIp: "127.0.0.1",
      route: "route",
      id: "0123456789abcdef",
      pathParams: {},
      ...told,
      headers: list(told.headers),
    };
    this.attributes = told.attributes ?? {};
    this.response = { status: 0, ...told.response, headers: list(told.response?.headers) };
    this.outcome = {
      started: new Date(1_750_000_000_000),
      duration: 0,
      requestBytes: 0,
      responseBytes: 0,
      verdictCached: false,
      ...told.outcome,
    };
    this.gateway = told.gateway ?? new Gateway();
    this.noted = new Set();
  }

  get reads() {
    return [...this.noted].sort();
  }

  run(code) {
    return current.run({ gateway: this.gateway, exchange: this }, code);
  }

  authorize(plugin) {
    return this.#call(plugin, "authorizer", "authorize");
  }
  onRequest(plugin) {
    return this.#call(plugin, "requestFilter", "onRequest");
  }
  async onRequestBody(plugin, body = "") {
    const limit = await this.#call(plugin, "requestBodyFilter", "requestBodyLimit");
    if (typeof limit === "number") return this.#call(plugin, "requestBodyFilter", "onRequestBody", content(body));
  }
  onRequestChunk(plugin, chunk, last) {
    return this.#call(plugin, "requestChunkFilter", "onRequestChunk", content(chunk), last);
  }
  onResponse(plugin) {
    return this.#call(plugin, "responseFilter", "onResponse");
  }
  async onResponseBody(plugin, body = "") {
    const limit = await this.#call(plugin, "responseBodyFilter", "responseBodyLimit");
    if (typeof limit === "number") return this.#call(plugin, "responseBodyFilter", "onResponseBody", content(body));
  }
  onResponseChunk(plugin, chunk, last) {
    return this.#call(plugin, "responseChunkFilter", "onResponseChunk", content(chunk), last);
  }
  log(plugin) {
    return this.#call(plugin, "logger", "log");
  }

  /** What the hook returned, after the check that a component makes of it. */
  async #call(plugin, interfaceName, name, ...args) {
    const { call, said, otherwise } = hooks[interfaceName][name];
    const hook = plugin[name] ?? otherwise;
    if (!hook) throw new TypeError(`the plugin exports no function ${name}`);
    const returned = await this.run(() => call(hook, ...args));
    said(returned);
    return returned;
  }
}

function list(headers = {}) {
  const pairs = Array.isArray(headers) ? headers : Object.entries(headers);
  return pairs.flatMap(([name, values]) =>
    [values].flat().map((value) => ({ name: name.toLowerCase(), value: String(value) })),
  );
}

function content(body) {
  return typeof body === "string" ? new TextEncoder().encode(body) : body;
}
