// Refuses bodies that are not JSON.

import { reply, type Request, type RequestBodyAction } from "@gatehouse/plugin";

export function requestBodyLimit(request: Request): number | undefined {
  return request.header("content-type") === "application/json" ? 65536 : undefined;
}

export function onRequestBody(request: Request, body: Uint8Array): RequestBodyAction {
  try {
    JSON.parse(new TextDecoder().decode(body));
  } catch (error) {
    return reply(400, { json: { error: String(error) } });
  }
}
