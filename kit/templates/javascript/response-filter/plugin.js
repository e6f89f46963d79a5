// Hides what the upstream is made of.

export function onResponse(request, response) {
  if (response.header("x-powered-by") === undefined) return;
  return { removeHeaders: "x-powered-by" };
}
