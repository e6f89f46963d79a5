// Lets callers with a known key pass, and tells the upstream the title from their profile.

import { abstain, allow, deny, logger, type Request, type RequestAction, type Verdict } from "@gatehouse/plugin";

interface Caller {
  name: string;
  plan: string;
}

/** As config.schema.json says it; the gateway has checked that. */
interface Config {
  keys: Record<string, Caller>;
  profiles?: string;
}

let callers: Map<string, Caller>;
let profiles: string | undefined;

export function init(config: Config): void {
  callers = new Map(Object.entries(config.keys));
  profiles = config.profiles;
}

export function authorize(request: Request): Verdict {
  const key = request.header("x-api-key");
  if (key === undefined) return abstain();
  const caller = callers.get(key);
  if (!caller) return deny(403, { json: { error: "unknown key" } });
  return allow(caller.name, { attributes: { plan: caller.plan } });
}

export async function onRequest(request: Request): Promise<RequestAction> {
  const principal = request.attribute("auth.principal");
  if (!profiles || !principal) return;
  try {
    const answer = await fetch(`${profiles}/${encodeURIComponent(principal)}`);
    if (!answer.ok) throw new Error(`the answer is ${answer.status}`);
    const { title } = (await answer.json()) as { title: string };
    return { setHeaders: { "x-profile": title } };
  } catch (error) {
    logger.warn(`no profile of ${principal}: ${error instanceof Error ? error.message : error}`);
  }
}
