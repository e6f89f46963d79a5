// Writes a line for each exchange.

import { logger, type Outcome, type Request, type Response } from "@gatehouse/plugin";

export function log(request: Request, response: Response, outcome: Outcome): void {
  logger.info(`${request.method} ${request.path} ${response.status} ${outcome.duration} ms`);
}
