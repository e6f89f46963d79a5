// Takes the field `password` out of JSON answers.

import type { Request, Response, ResponseBodyAction } from "@gatehouse/plugin";

export function responseBodyLimit(request: Request, response: Response): number | undefined {
  return response.header("content-type") === "application/json" ? 65536 : undefined;
}

export function onResponseBody(request: Request, response: Response, body: Uint8Array): ResponseBodyAction {
  const answer = JSON.parse(new TextDecoder().decode(body));
  if (answer?.password === undefined) return;
  delete answer.password;
  return { body: JSON.stringify(answer) };
}
