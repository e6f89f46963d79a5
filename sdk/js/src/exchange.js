// The request, the response and the outcome of the exchange that is being served. They hold nothing: each read asks the
// gateway, which notes it. So there is one of each for all exchanges.

import { host, text } from "./host.js";

/** Absent values are `undefined` to authors; the contract's bindings say `null`. */
const optional = (value) => value ?? undefined;

const pairs = (fields) => fields.map(({ name, value }) => [name, value]);

class Request {
  get method() {
    return host().request.method();
  }
  get path() {
    return host().request.path();
  }
  get query() {
    return optional(host().request.query());
  }
  get scheme() {
    return host().request.scheme();
  }
  get authority() {
    return host().request.authority();
  }
  get protocol() {
    return host().request.protocol();
  }
  get clientIp() {
    return host().request.clientIp();
  }
  get route() {
    return host().request.route();
  }
  get id() {
    return host().request.id();
  }
  queryParam(name) {
    return optional(host().request.queryParam(text(name)));
  }
  queryParams(name) {
    return host().request.queryParams(text(name));
  }
  pathParam(name) {
    return optional(host().request.pathParam(text(name)));
  }
  header(name) {
    return optional(host().request.header(text(name)));
  }
  headerValues(name) {
    return host().request.headerValues(text(name));
  }
  headers() {
    return pairs(host().request.headers());
  }
  cookie(name) {
    return optional(host().request.cookie(text(name)));
  }
  bearer() {
    return /^bearer +(.*\S)\s*$/i.exec(this.header("authorization") ?? "")?.[1];
  }
  attribute(name) {
    return optional(host().attributes.get(text(name)));
  }
  attributes() {
    return Object.fromEntries(pairs(host().attributes.all()));
  }
}

class Response {
  get status() {
    return host().response.status();
  }
  header(name) {
    return optional(host().response.header(text(name)));
  }
  headerValues(name) {
    return host().response.headerValues(text(name));
  }
  headers() {
    return pairs(host().response.headers());
  }
}

class Outcome {
  get started() {
    return new Date(Number(host().outcome.started()));
  }
  get duration() {
    return Number(host().outcome.duration()) / 1000;
  }
  get upstreamDuration() {
    const microseconds = optional(host().outcome.upstreamDuration());
    return microseconds === undefined ? undefined : Number(microseconds) / 1000;
  }
  get requestBytes() {
    return Number(host().outcome.requestBytes());
  }
  get responseBytes() {
    return Number(host().outcome.responseBytes());
  }
  get verdict() {
    return optional(host().outcome.verdict());
  }
  get verdictCached() {
    return host().outcome.verdictCached();
  }
  get failure() {
    return optional(host().outcome.failure());
  }
}

export const request = new Request();
export const response = new Response();
export const outcome = new Outcome();
