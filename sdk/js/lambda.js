// Runs a Lambda authorizer function of AWS API Gateway as an authorizer: the event it expects in, a verdict out.
// What AWS says of events, results and outcomes: "Use API Gateway Lambda authorizers" (REST APIs) and "Control access to HTTP
// APIs with AWS Lambda authorizers" in its developer guides.

import { identities, lambdaContext, lambdaEvent, methodArn } from "./src/lambda/event.js";
import { unauthorized, verdictOf } from "./src/lambda/outcome.js";
import { settingsOf } from "./src/lambda/settings.js";

/**
 * The hooks of a plugin that asks a function: `export const { init, authorize } = lambdaAuthorizer(() =>
 * import("./function/index.mjs"))`. The module is loaded when an instance starts, after `process.env` is as configured.
 */
export function lambdaAuthorizer(load, name = "handler") {
  let handler;
  let settings;

  async function init(config) {
    settings = settingsOf(config);
    globalThis.process ??= {};
    process.env = Object.assign(process.env ?? {}, settings.environment);
    const module = await load();
    handler = module[name] ?? module.default?.[name];
    if (typeof handler !== "function") throw new Error(`the function's module exports no function ${name}`);
  }

  async function authorize(request) {
    const found = identities(request, settings);
    if (found === undefined) return unauthorized();
    let result;
    try {
      result = await invoke(handler, lambdaEvent(request, settings, found), lambdaContext(request, name));
    } catch (error) {
      if ((error?.message ?? error) === "Unauthorized") return unauthorized();
      throw error;
    }
    return verdictOf(result, settings, () => methodArn(request, settings));
  }

  return { init, authorize };
}

/** Functions answer by a promise, or by a callback, which those with three parameters get. */
function invoke(handler, event, context) {
  if (handler.length < 3) return handler(event, context);
  return new Promise((resolve, reject) => {
    const callback = (error, result) => (error === null || error === undefined ? resolve(result) : reject(error));
    Promise.resolve(handler(event, context, callback)).then((result) => result !== undefined && resolve(result), reject);
  });
}
