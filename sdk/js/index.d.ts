/** A header's value is a string whose characters stand for the bytes of the same number; plain text stays plain text. */
export type HeaderValue = string | number | boolean;

/** Header fields: `{ name: value }`, with an array for several of one name, or pairs. */
export type HeaderFields =
  Record<string, HeaderValue | readonly HeaderValue[]> | readonly (readonly [string, HeaderValue])[];

/** By name: letters, digits, `_`, `-` and `.`. Structured values are JSON text. Those that are `undefined` are left out. */
export type Attributes = Record<string, string | number | boolean | undefined>;

/** A body: text is sent as UTF-8. */
export type Body = string | Uint8Array | ArrayBuffer;

/** What a hook returns, or a promise of it. */
export type Awaitable<T> = T | Promise<T>;

/**
 * The request that is being served, as the plugins before this one have left it. It holds nothing: each read asks the
 * gateway. While an authorizer runs, exactly what is read becomes the key under which its verdict is kept.
 */
export interface Request {
  /** The method: `GET`. */
  readonly method: string;
  /** The path in canonical form, without the query: the very string that routes are matched against. */
  readonly path: string;
  /** The query as sent, without the `?`. */
  readonly query: string | undefined;
  /** `http` or `https`. */
  readonly scheme: string;
  /** The host, and port if any, that the client asked for, in lower case. */
  readonly authority: string;
  /** `HTTP/1.1` or `HTTP/2.0`. */
  readonly protocol: string;
  /** The address of the client, without the port. */
  readonly clientIp: string;
  /** The name of the matched route. */
  readonly route: string;
  /** The id of this exchange. It differs in every request: an authorizer that reads it gets no caching. */
  readonly id: string;
  /** The first value of a query parameter, decoded. */
  queryParam(name: string): string | undefined;
  /** All values of a query parameter, decoded. */
  queryParams(name: string): string[];
  /** What the route's path template caught: for `/pets/{id}`, `pathParam("id")`. */
  pathParam(name: string): string | undefined;
  /** The value of a header; of several fields with that name all values, joined by `, `. */
  header(name: string): string | undefined;
  /** The values of all header fields with that name. */
  headerValues(name: string): string[];
  /** All header fields, as pairs of name and value. For an authorizer this makes every header part of the key. */
  headers(): [string, string][];
  /** The value of a cookie. */
  cookie(name: string): string | undefined;
  /** The token of `Authorization: Bearer TOKEN`. */
  bearer(): string | undefined;
  /** An attribute by its full name: `auth.principal`, `PLUGIN.name`. No client and no upstream can set one. */
  attribute(name: string): string | undefined;
  /** All attributes set so far. */
  attributes(): Record<string, string>;
}

/** The response that is on its way to the client. It holds nothing: each read asks the gateway. */
export interface Response {
  /** The status code. */
  readonly status: number;
  /** The value of a header; of several fields with that name all values, joined by `, `. */
  header(name: string): string | undefined;
  /** The values of all header fields with that name. */
  headerValues(name: string): string[];
  /** All header fields, as pairs of name and value. */
  headers(): [string, string][];
}

/** What has become of the exchange. It holds nothing: each read asks the gateway. */
export interface Outcome {
  /** When the request's header section had arrived. */
  readonly started: Date;
  /** From then until the last byte of the answer was handed to the connection, in milliseconds. */
  readonly duration: number;
  /** From handing the request to the upstream until its header section came back, in milliseconds. */
  readonly upstreamDuration: number | undefined;
  /** Bytes of the request's body that were read from the client. */
  readonly requestBytes: number;
  /** Bytes of the response's body that were handed to the connection. */
  readonly responseBytes: number;
  /** Undefined when the route has no authorizer or it was not reached. */
  readonly verdict: "allow" | "deny" | undefined;
  /** Whether every verdict came from the cache. */
  readonly verdictCached: boolean;
  /** The code of the failure that ended the exchange. */
  readonly failure: string | undefined;
}

interface Changes {
  /** For later plugins, upstream header mappings and logs. */
  attributes?: Attributes;
  /** Replace all fields of their names. Removals come first, then these, then `appendHeaders`. */
  setHeaders?: HeaderFields;
  /** Are added after the fields of the same name. */
  appendHeaders?: HeaderFields;
  /** All fields of that name, or of these names. */
  removeHeaders?: string | readonly string[];
}

/** Changes to a request. Only what is given is changed. Attributes get the plugin's name and a dot as prefix. */
export interface RequestEdit extends Changes {
  method?: string;
  /** Begins with `/`. The route stays the one matched. */
  path?: string;
  /** Without the `?`; the empty string removes it. */
  query?: string;
}

/** Changes to a response. Only what is given is changed. Attributes get the plugin's name and a dot as prefix. */
export interface ResponseEdit extends Changes {
  /** 200 to 599. */
  status?: number;
}

interface Answer {
  headers?: HeaderFields;
  /** Without a `content-type` of its own. */
  body?: Body;
  /** In the place of `body`: any value, as JSON. */
  json?: unknown;
}

/** With a verdict that passes. Headers are those of the request that goes upstream; attributes get the prefix `auth.`. */
export interface Grant extends Changes {
  /**
   * For how many seconds the verdict holds for a request with the same values in everything that was read; 0: not at all.
   * Without it the operator's default holds, unless the decision also used the clock, randomness, the network or key-value
   * state: then the verdict is not kept.
   */
  maxAge?: number;
}

/** With a verdict that refuses: exactly this is answered. */
export interface Denial extends Answer {
  /** Why, for the log; the client never sees it. */
  reason?: string;
  /** As of a grant. */
  maxAge?: number;
}

/** A header field in the contract's form. */
export interface Field {
  readonly name: string;
  readonly value: string;
}

/** An answer in the contract's form. */
interface AnswerForm {
  readonly status: number;
  readonly headers: readonly Field[];
  readonly body: Uint8Array;
}

/** What an authorizer says, in the contract's form; made by `allow`, `deny` and `abstain`. */
export type Verdict =
  | {
      readonly tag: "allow";
      readonly val: {
        readonly principal?: string;
        readonly attributes: readonly { readonly name: string; readonly value: string }[];
        readonly requestHeaders: readonly (
          { readonly tag: "set" | "append"; readonly val: Field } | { readonly tag: "remove"; readonly val: string }
        )[];
        readonly maxAge?: number;
      };
    }
  | { readonly tag: "deny"; readonly val: AnswerForm & { readonly reason?: string; readonly maxAge?: number } }
  | { readonly tag: "abstain"; readonly val?: undefined };

/** A whole answer to the client; made by `reply`. */
export interface Reply {
  /** In the contract's form. */
  readonly val: AnswerForm;
}

/** The request may pass, as `principal`: it becomes the attribute `auth.principal`. */
export function allow(principal?: string, grant?: Grant): Verdict;

/** The request may not pass; the client gets this status, 400 to 599. */
export function deny(status: number, denial?: Denial): Verdict;

/** "Not my scheme": the next authorizer of the route is asked. When all abstain, the answer is 401. */
export function abstain(): Verdict;

/** A whole answer to the client with this status, 200 to 599, in the place of the upstream's. */
export function reply(status: number, answer?: Answer): Reply;

/** What a filter does: nothing (`undefined`), change, answer. */
export type RequestAction = RequestEdit | Reply | undefined | void;
export type RequestBodyAction = (RequestEdit & { body?: Body }) | Reply | undefined | void;
export type ResponseAction = ResponseEdit | Reply | undefined | void;
export type ResponseBodyAction = (ResponseEdit & { body?: Body }) | Reply | undefined | void;
/** What goes on in a piece's place: itself (`undefined`), these bytes (none: nothing for now), an answer. */
export type ChunkAction = Body | Reply | undefined | void;

/** What a plugin's module may export. Those of the hooks that plugin.toml lists have to be there. */
export interface Plugin {
  /** Called once in each new instance with what the operator configures. An error refuses the configuration; its text is
   *  shown to the operator. */
  init?(config: any): Awaitable<void>;
  authorize?(request: Request): Awaitable<Verdict>;
  onRequest?(request: Request): Awaitable<RequestAction>;
  /** How many bytes of this request's body the plugin wants to see; a longer one is refused with 413. `undefined` leaves the
   *  body alone. Without this function: as many as the operator's `limits.body` lets it. */
  requestBodyLimit?(request: Request): Awaitable<number | undefined | void>;
  /** With the whole body, empty when there is none. */
  onRequestBody?(request: Request, body: Uint8Array): Awaitable<RequestBodyAction>;
  /** For each piece in order, and once with `last`, then possibly with an empty one. The instance stays with this request
   *  until then, so state between pieces may be kept in variables of the module. */
  onRequestChunk?(request: Request, chunk: Uint8Array, last: boolean): Awaitable<ChunkAction>;
  onResponse?(request: Request, response: Response): Awaitable<ResponseAction>;
  /** As `requestBodyLimit`; a longer body is a 502. */
  responseBodyLimit?(request: Request, response: Response): Awaitable<number | undefined | void>;
  onResponseBody?(request: Request, response: Response, body: Uint8Array): Awaitable<ResponseBodyAction>;
  /** As `onRequestChunk`. */
  onResponseChunk?(request: Request, response: Response, chunk: Uint8Array, last: boolean): Awaitable<ChunkAction>;
  /** After the last byte; the client does not wait for it. An error drops this line and is counted. */
  log?(request: Request, response: Response, outcome: Outcome): Awaitable<void>;
}

/** Whether two secrets are the same, in a time that does not tell where they differ. Never when they are empty or absent. */
export function sameSecret(a: string | undefined, b: string | undefined): boolean;

/** How important a line of the log is. */
export type Level = "trace" | "debug" | "info" | "warn" | "error";

/** The gateway's log. A line carries the plugin's name and the request's id. Lines past the plugin's rate limit are dropped
 *  and counted; a message is cut after 8 KiB. */
export const logger: Record<Level, (message: string) => void> & {
  /** Whether lines of this level are written. */
  enabled(level: Level): boolean;
};

/** Hands over one line, without the line feed, to the place that the operator chose. False when that cannot keep up and the
 *  line was dropped. Needs `asks = ["output"]` and the grant. */
export function writeLine(line: string): boolean;

/** A collection of keys and values that the instances of a plugin share. Plugins do not see each other's. */
export interface Bucket {
  get(key: string): Uint8Array | undefined;
  /** Fails when the state would outgrow the plugin's `limits.keyvalue_bytes`. */
  set(key: string, value: Body): void;
  delete(key: string): void;
  exists(key: string): boolean;
  /** In no particular order. */
  keys(): string[];
  /** Adds to a number in one step and gives the sum; an absent key counts as 0. */
  increment(key: string, delta?: number): number;
}

/** Opens a bucket by its name; a new one is empty. Needs `asks = ["keyvalue"]` and the grant. */
export function openBucket(name: string): Bucket;
