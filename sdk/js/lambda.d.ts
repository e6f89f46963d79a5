import type { Awaitable, Request, Verdict } from "./index.js";

/** The hooks of a plugin that asks a Lambda authorizer function. `name` is what the module exports [`handler`]. */
export function lambdaAuthorizer(
  load: () => Promise<unknown>,
  name?: string,
): {
  init(config: Record<string, unknown>): Awaitable<void>;
  authorize(request: Request): Awaitable<Verdict>;
};
