// Writes a line for each exchange.

import { logger } from "@gatehouse/plugin";

export function log(request, response, outcome) {
  logger.info(`${request.method} ${request.path} ${response.status} ${outcome.duration} ms`);
}
