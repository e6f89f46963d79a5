// Errors as text for the log, with the place in the author's source. The engine knows places in the bundle; which of its lines
// are whose, the build has written down.

let place = () => undefined;

export function placedBy(lookup) {
  place = lookup;
}

export function words(error) {
  if (!(error instanceof Error)) return String(error);
  for (const [, line] of String(error.stack).matchAll(/:(\d+):\d+\)?$/gm)) {
    const at = place(Number(line));
    if (at) return `${error} (${at})`;
  }
  return String(error);
}
