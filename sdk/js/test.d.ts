import type {
  Attributes,
  Body,
  ChunkAction,
  HeaderFields,
  Level,
  Outcome,
  Plugin,
  RequestAction,
  RequestBodyAction,
  ResponseAction,
  ResponseBodyAction,
  Verdict,
} from "./index.js";

/** The gateway around the exchanges of a test. */
export class Gateway {
  constructor(around?: {
    /** Answers what the plugin sends with `fetch`; without this, sending fails. */
    server?(request: globalThis.Request): globalThis.Response | Promise<globalThis.Response>;
  });
  /** The requests that the plugin has sent. */
  readonly sent: globalThis.Request[];
  /** The lines that the plugin has logged with `logger`. */
  readonly log: [Level, string][];
  /** The lines that the plugin has written to the output. */
  readonly output: string[];
  /** The key-value state. */
  readonly buckets: Map<string, Map<string, Uint8Array>>;
}

/** Starts a plugin (its module: `import * as plugin from "./plugin.js"`) with a configuration, as the gateway does. */
export function start(plugin: Plugin, config?: unknown, gateway?: Gateway): Promise<void>;

/** One request and what became of it. */
export class Exchange {
  /** A request with this method and target: `new Exchange("GET", "/pets/1?x=y", { headers: { "x-key": "k1" } })`. */
  constructor(
    method: string,
    target: string,
    told?: {
      headers?: HeaderFields;
      /** What the route's path template caught. */
      pathParams?: Record<string, string>;
      /** By their full names: `auth.principal`. */
      attributes?: Attributes;
      clientIp?: string;
      scheme?: string;
      authority?: string;
      protocol?: string;
      route?: string;
      id?: string;
      response?: { status?: number; headers?: HeaderFields };
      outcome?: Partial<Outcome>;
      /** Without it the exchange has one of its own. */
      gateway?: Gateway;
    },
  );
  /** The gateway that it runs in. */
  readonly gateway: Gateway;
  /** What was read of the request so far, sorted: `["header:authorization", "path"]`. The gateway makes the key of a kept
   *  verdict of it. */
  readonly reads: string[];
  /** Runs code within this exchange. */
  run<T>(code: () => T): T;
  authorize(plugin: Plugin): Promise<Verdict>;
  onRequest(plugin: Plugin): Promise<RequestAction>;
  /** Calls the hook if the plugin wants to see the body. */
  onRequestBody(plugin: Plugin, body?: Body): Promise<RequestBodyAction>;
  onRequestChunk(plugin: Plugin, chunk: Body, last: boolean): Promise<ChunkAction>;
  onResponse(plugin: Plugin): Promise<ResponseAction>;
  /** Calls the hook if the plugin wants to see the body. */
  onResponseBody(plugin: Plugin, body?: Body): Promise<ResponseBodyAction>;
  onResponseChunk(plugin: Plugin, chunk: Body, last: boolean): Promise<ChunkAction>;
  log(plugin: Plugin): Promise<void>;
}
