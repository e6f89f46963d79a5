// Lets requests pass that carry the key.

import { allow, deny, sameSecret, type Request, type Verdict } from "@gatehouse/plugin";

let key: string;

export function init(config: { key?: unknown }): void {
  if (typeof config.key !== "string" || config.key === "") throw new Error("`key` is a string that is not empty");
  key = config.key;
}

export function authorize(request: Request): Verdict {
  if (sameSecret(request.header("x-key"), key)) return allow("alice");
  return deny(403, { json: { error: "the key is wrong" } });
}
