// What AWS makes of a function's result.

import { allow, deny } from "../verdict.js";
import { arnOfStage } from "./event.js";
import { decide } from "./policy.js";

/** No identity, or the function has said `Unauthorized`. AWS keeps neither. */
export function unauthorized() {
  return deny(401, { json: { message: "Unauthorized" }, maxAge: 0 });
}

function forbidden({ payload, ttl }, explicitly) {
  const words = `User is not authorized to access this resource${explicitly ? " with an explicit deny" : ""}`;
  return deny(403, { json: payload === "2.0" ? { message: "Forbidden" } : { Message: words }, maxAge: ttl });
}

/** The verdict; what is no result is an error, for which AWS answers 500. `arn` gives that of the request. */
export function verdictOf(result, settings, arn) {
  if (typeof result !== "object" || result === null) throw new TypeError("the function returned no object");
  if (settings.payload === "2.0" && "isAuthorized" in result) return simple(result, settings);
  const { principalId, policyDocument, context, usageIdentifierKey } = result;
  if (typeof principalId !== "string") throw new TypeError("the function's `principalId` is no string");
  const decision = decide(policyDocument, arnOfStage(settings), arn);
  if (decision !== "Allow") return forbidden(settings, decision === "Deny");
  return allow(principalId, { attributes: { ...attributes(context, scalar), usageIdentifierKey }, maxAge: settings.ttl });
}

function simple({ isAuthorized, context }, settings) {
  if (typeof isAuthorized !== "boolean") throw new TypeError("the function's `isAuthorized` is neither true nor false");
  if (!isAuthorized) return forbidden(settings, false);
  return allow(undefined, { attributes: attributes(context, json), maxAge: settings.ttl });
}

function attributes(context, text) {
  if (context === undefined || context === null) return {};
  if (typeof context !== "object" || Array.isArray(context)) throw new TypeError("the function's `context` is no object");
  return Object.fromEntries(Object.entries(context).map(([name, value]) => [name, text(value, name)]));
}

function scalar(value, name) {
  if (["string", "number", "boolean"].includes(typeof value)) return String(value);
  throw new TypeError(`the function's \`context.${name}\` is neither a string, a number, true nor false`);
}

function json(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}
