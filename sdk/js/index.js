// What a plugin's author imports. How it reaches the gateway is src/host.js; the component's other end is component.js.

export { openBucket } from "./src/keyvalue.js";
export { logger } from "./src/logger.js";
export { writeLine } from "./src/output.js";
export { sameSecret } from "./src/secret.js";
export { abstain, allow, deny, reply } from "./src/verdict.js";
