// Lines to the place that the operator chose.

import { asked, text } from "./host.js";

export function writeLine(line) {
  return asked("output", "writeLine").writeLine(text(line));
}
