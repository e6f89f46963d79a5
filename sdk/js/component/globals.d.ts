// What is there in a component beside the language itself: parts of the standards' objects. `gatehouse plugin build` checks
// TypeScript with these.

interface AbortSignal {}
declare var AbortSignal: {
  /** The only one: for the connection, the header section of the answer, and between bytes of its body. */
  timeout(milliseconds: number): AbortSignal;
};

interface Headers extends Iterable<[string, string]> {
  append(name: string, value: string): void;
  set(name: string, value: string): void;
  delete(name: string): void;
  get(name: string): string | null;
  has(name: string): boolean;
  getSetCookie(): string[];
  forEach(call: (value: string, name: string, headers: Headers) => void): void;
  entries(): IterableIterator<[string, string]>;
}
type HeadersInit = Iterable<readonly [string, string]> | Record<string, string>;
declare var Headers: new (init?: HeadersInit) => Headers;

type BodyInit = string | Uint8Array | ArrayBuffer;
interface Response {
  readonly status: number;
  readonly statusText: string;
  readonly ok: boolean;
  readonly headers: Headers;
  readonly redirected: boolean;
  readonly url: string;
  readonly bodyUsed: boolean;
  bytes(): Promise<Uint8Array>;
  arrayBuffer(): Promise<ArrayBuffer>;
  text(): Promise<string>;
  json(): Promise<any>;
}
declare var Response: new (
  body?: BodyInit | null,
  init?: { status?: number; statusText?: string; headers?: HeadersInit },
) => Response;

interface RequestInit {
  method?: string;
  headers?: HeadersInit;
  body?: BodyInit | null;
  signal?: AbortSignal | null;
}
/** Sends a request. Redirects are not followed. Needs `asks = ["http"]` and the grant for the origin. */
declare function fetch(url: string, init?: RequestInit): Promise<Response>;

declare class TextEncoder {
  readonly encoding: string;
  encode(text?: string): Uint8Array;
}
declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
  readonly encoding: string;
  readonly fatal: boolean;
  readonly ignoreBOM: boolean;
  decode(bytes?: Uint8Array | ArrayBuffer): string;
}

declare var console: Record<"log" | "trace" | "debug" | "info" | "warn" | "error", (...values: unknown[]) => void>;
declare var crypto: {
  getRandomValues<T extends ArrayBufferView>(array: T): T;
  randomUUID(): string;
};
declare var performance: { now(): number };
declare function queueMicrotask(job: () => void): void;
declare function btoa(latin1: string): string;
declare function atob(base64: string): string;
