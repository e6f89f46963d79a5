// The hooks: which functions of the author's module they are, what these get, and what they may return. Here the contract's
// arguments and actions meet the author's; a component and the doubles of tests call hooks by the same table.

import { outcome, request, response } from "./exchange.js";
import { bytes, options, whole } from "./values.js";
import { EDIT, Reply, Verdict, requestEdit, responseEdit, unchanged } from "./verdict.js";

const REQUEST = ["method", "path", "query", ...EDIT];
const RESPONSE = ["status", ...EDIT];

/** `undefined`, an edit, or an answer, as the action of a filter. */
function action(answered, edit) {
  return (said) => {
    if (said === undefined || said === null) return unchanged;
    if (said instanceof Reply) return { tag: answered, val: said.val };
    if (said instanceof Verdict)
      throw new TypeError("a filter returns an edit, reply(...) or nothing; verdicts are an authorizer's");
    return { tag: "edit", val: edit(said) };
  };
}

const newBody = ({ body }) => (body === undefined ? undefined : bytes(body));

function verdict(said) {
  if (said instanceof Verdict) return { tag: said.tag, val: said.val };
  throw new TypeError("authorize returns allow(...), deny(...) or abstain()");
}

function chunk(said) {
  if (said === undefined || said === null) return unchanged;
  if (said instanceof Reply) return { tag: "respond", val: said.val };
  return { tag: "replace", val: bytes(said) };
}

function limit(said) {
  return said === undefined || said === null
    ? undefined
    : whole(said, 0, Number.MAX_SAFE_INTEGER, "the limit of a body");
}

/** Functions by the names that authors and the contract's bindings both give them. `otherwise` stands in for one that is
 *  not there. */
export const hooks = {
  authorizer: {
    authorize: { call: (hook) => hook(request), said: verdict },
  },
  requestFilter: {
    onRequest: {
      call: (hook) => hook(request),
      said: action("respond", (edit) => requestEdit(options(edit, REQUEST, "the edit of a request"))),
    },
  },
  requestBodyFilter: {
    requestBodyLimit: { call: (hook) => hook(request), said: limit, otherwise: () => Number.MAX_SAFE_INTEGER },
    onRequestBody: {
      call: (hook, body) => hook(request, body),
      said: action("respond", (edit) => ({
        request: requestEdit(options(edit, [...REQUEST, "body"], "the edit of a request")),
        body: newBody(edit),
      })),
    },
  },
  requestChunkFilter: {
    onRequestChunk: { call: (hook, chunk, last) => hook(request, chunk, last), said: chunk },
  },
  responseFilter: {
    onResponse: {
      call: (hook) => hook(request, response),
      said: action("replace", (edit) => responseEdit(options(edit, RESPONSE, "the edit of a response"))),
    },
  },
  responseBodyFilter: {
    responseBodyLimit: {
      call: (hook) => hook(request, response),
      said: limit,

      otherwise: () => Number.MAX_SAFE_INTEGER,
    },
    onResponseBody: {
      call: (hook, body) => hook(request, response, body),
      said: action("replace", (edit) => ({
        response: responseEdit(options(edit, [...RESPONSE, "body"], "the edit of a response")),
        body: newBody(edit),
      })),
    },
  },
  responseChunkFilter: {
    onResponseChunk: { call: (hook, chunk, last) => hook(request, response, chunk, last), said: chunk },
  },
  logger: {
    log: { call: (hook) => hook(request, response, outcome), said: () => undefined },
  },
};
