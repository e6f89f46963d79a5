// Comparing secrets.

/** Looks at every character whatever the first ones say. Never true for empty ones: an absent header must not match a key
 *  that someone forgot to configure. */
export function sameSecret(a, b) {
  if (typeof a !== "string" || typeof b !== "string" || a.length === 0 || a.length !== b.length) return false;
  let differences = 0;
  for (let i = 0; i < a.length; i++) differences |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return differences === 0;
}
