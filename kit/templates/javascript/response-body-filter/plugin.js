// Takes the field `password` out of JSON answers.

export function responseBodyLimit(request, response) {
  return response.header("content-type") === "application/json" ? 65536 : undefined;
}

export function onResponseBody(request, response, body) {
  const answer = JSON.parse(new TextDecoder().decode(body));
  if (answer?.password === undefined) return;
  delete answer.password;
  return { body: JSON.stringify(answer) };
}
