// Errors as text for the log, with the place in the author's source. The engine knows places in the bundle; which of its lines
// are whose, the build has written down.

let table = () => "";

/** `lookup` gives a text with a line `LINE=PLACE` for each line of the bundle that is the author's. */
export function placedBy(lookup) {
  table = lookup;
}

function place(line) {
  const lines = table();
  const start = lines.indexOf(`\n${line}=`);
  return start < 0 ? undefined : lines.slice(lines.indexOf("=", start) + 1, lines.indexOf("\n", start + 1));
}

export function words(error) {
  if (!(error instanceof Error)) return String(error);
  for (const [, line] of String(error.stack).matchAll(/:(\d+):\d+\)?$/gm)) {
    const at = place(line);
    if (at) return `${error} (${at})`;
  }
  return String(error);
}
