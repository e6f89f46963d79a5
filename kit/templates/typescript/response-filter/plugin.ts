// Hides what the upstream is made of.

import type { Request, Response, ResponseAction } from "@gatehouse/plugin";

export function onResponse(request: Request, response: Response): ResponseAction {
  if (response.header("x-powered-by") === undefined) return;
  return { removeHeaders: "x-powered-by" };
}
