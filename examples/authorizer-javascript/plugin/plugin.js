// Lets callers with a known key pass, and tells the upstream the title from their profile.

import { abstain, allow, deny, logger } from "@gatehouse/plugin";

let callers;
let profiles;

// What it may be is said in config.schema.json; the gateway has checked that.
export function init(config) {
  callers = new Map(Object.entries(config.keys));
  profiles = config.profiles;
}

export function authorize(request) {
  const key = request.header("x-api-key");
  if (key === undefined) return abstain();
  const caller = callers.get(key);
  if (!caller) return deny(403, { json: { error: "unknown key" } });
  return allow(caller.name, { attributes: { plan: caller.plan } });
}

export async function onRequest(request) {
  const principal = request.attribute("auth.principal");
  if (!profiles || !principal) return;
  try {
    const answer = await fetch(`${profiles}/${encodeURIComponent(principal)}`);
    if (!answer.ok) throw new Error(`the answer is ${answer.status}`);
    const { title } = await answer.json();
    return { setHeaders: { "x-profile": title } };
  } catch (error) {
    logger.warn(`no profile of ${principal}: ${error.message}`);
  }
}
