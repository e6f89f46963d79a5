// The gateway's log. `console` in a component is the same with less control.

import { host, text } from "./host.js";

function write(level, message) {
  host().log.write(level, text(message));
}

export const logger = {
  enabled: (level) => host().log.enabled(level),
  trace: (message) => write("trace", message),
  debug: (message) => write("debug", message),
  info: (message) => write("info", message),
  warn: (message) => write("warn", message),
  error: (message) => write("error", message),
};
