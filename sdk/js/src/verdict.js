// What hooks say: verdicts and answers. Each carries the contract's form of itself, made and checked when it is built.

import { answer, attributes, headerEdits, options, optionalString, whole } from "./values.js";

/** Something that a hook may return, in the contract's form: an arm of a variant. */
class Said {
  constructor(arm) {
    Object.assign(this, arm);
  }
}

export class Verdict extends Said {}
export class Reply extends Said {}

const EDIT = ["attributes", "setHeaders", "appendHeaders", "removeHeaders"];

/** The contract has 32 bits; the bindings read them as signed ones. */
const LONGEST = 2 ** 31 - 1;

function maxAge(seconds) {
  return seconds === undefined ? undefined : whole(seconds, 0, LONGEST, "maxAge");
}

export function allow(principal, grant = {}) {
  options(grant, [...EDIT, "maxAge"], "what allow grants");
  return new Verdict({
    tag: "allow",
    val: {
      principal: optionalString(principal, "the principal"),
      attributes: attributes(grant.attributes),
      requestHeaders: headerEdits(grant),
      maxAge: maxAge(grant.maxAge),
    },
  });
}

export function deny(status, denial = {}) {
  options(denial, ["headers", "body", "json", "reason", "maxAge"], "the answer of deny");
  return new Verdict({
    tag: "deny",
    val: {
      ...answer(whole(status, 400, 599, "the status of deny"), denial),
      reason: optionalString(denial.reason, "the reason"),
      maxAge: maxAge(denial.maxAge),
    },
  });
}

export function abstain() {
  return new Verdict({ tag: "abstain" });
}

export function reply(status, of = {}) {
  options(of, ["headers", "body", "json"], "the answer of reply");
  return new Reply({ val: answer(whole(status, 200, 599, "the status of reply"), of) });
}

const unchanged = { tag: "unchanged" };

function requestEdit(edit) {
  return {
    method: optionalString(edit.method, "the method"),
    path: optionalString(edit.path, "the path"),
    query: optionalString(edit.query, "the query"),
    headers: headerEdits(edit),
    attributes: attributes(edit.attributes),
  };
}

function responseEdit(edit) {
  return {
    status: edit.status === undefined ? undefined : whole(edit.status, 200, 599, "the status"),
    headers: headerEdits(edit),
    attributes: attributes(edit.attributes),
  };
}

export { EDIT, requestEdit, responseEdit, unchanged };
