// Lets requests pass that carry the key.

import { allow, deny, sameSecret } from "@gatehouse/plugin";

let key;

export function init(config) {
  if (typeof config.key !== "string" || config.key === "") throw new Error("`key` is a string that is not empty");
  key = config.key;
}

export function authorize(request) {
  if (sameSecret(request.header("x-key"), key)) return allow("alice");
  return deny(403, { json: { error: "the key is wrong" } });
}
