// Tells the upstream who has asked.

import type { Request, RequestAction } from "@gatehouse/plugin";

export function onRequest(request: Request): RequestAction {
  return { setHeaders: { "x-caller": request.clientIp } };
}
