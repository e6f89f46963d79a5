// Refuses bodies that are not JSON.

import { reply } from "@gatehouse/plugin";

export function requestBodyLimit(request) {
  return request.header("content-type") === "application/json" ? 65536 : undefined;
}

export function onRequestBody(request, body) {
  try {
    JSON.parse(new TextDecoder().decode(body));
  } catch (error) {
    return reply(400, { json: { error: String(error) } });
  }
}
