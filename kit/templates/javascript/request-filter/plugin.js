// Tells the upstream who has asked.

export function onRequest(request) {
  return { setHeaders: { "x-caller": request.clientIp } };
}
