// What a policy says of a request (IAM JSON policy grammar, for the one action that API Gateway asks about).

const ACTION = "execute-api:invoke";

/** The longest ARN that AWS takes in a policy. */
const LONGEST = 512;

/**
 * `Allow`, `Deny`, or nothing where no statement is about the request. `base` is what the ARNs of all requests begin with;
 * `arn` gives the request's own, and is asked only where a statement depends on it.
 */
export function decide(policy, base, arn) {
  const statements = list(policy?.Statement);
  if (statements.length === 0) throw new TypeError("the function's `policyDocument` has no `Statement`");
  const effects = statements.filter((statement) => concerns(statement, base, arn)).map(({ Effect }) => Effect);
  return effects.includes("Deny") ? "Deny" : effects[0];
}

function concerns(statement, base, arn) {
  const { Effect, Action, Resource } = statement;
  if (!["Allow", "Deny"].includes(Effect)) throw new TypeError("a statement's `Effect` is neither Allow nor Deny");
  for (const other of ["Condition", "NotAction", "NotResource", "Principal"]) {
    if (other in statement) throw new TypeError(`a statement has \`${other}\`, which is not supported`);
  }
  for (const [name, value] of Object.entries({ Action, Resource })) {
    const right = list(value).length > 0 && list(value).every((text) => typeof text === "string" && text.length <= LONGEST);
    if (!right) throw new TypeError(`a statement's \`${name}\` is no text of at most ${LONGEST} characters`);
  }
  if (!list(Action).some((pattern) => matches(pattern.toLowerCase(), ACTION))) return false;
  return list(Resource).some((pattern) => matchesAll(pattern, base) || matches(pattern, arn()));
}

const list = (value) => (value === undefined ? [] : Array.isArray(value) ? value : [value]);

/** Whether a pattern is one for all requests, so that it need not be known which one this is. */
function matchesAll(pattern, base) {
  if (!pattern.endsWith("*")) return false;
  for (let length = 0; length <= base.length; length++) {
    if (matches(pattern.slice(0, -1), base.slice(0, length))) return true;
  }
  return false;
}

/** `*` stands for any characters, `/` among them, and `?` for one. */
function matches(pattern, text) {
  let [at, star, resume] = [0, -1, 0];
  for (let i = 0; i < text.length; ) {
    if (pattern[at] === "*") {
      star = at++;
      resume = i;
    } else if (at < pattern.length && (pattern[at] === "?" || pattern[at] === text[i])) {
      at++;
      i++;
    } else if (star >= 0) {
      at = star + 1;
      i = ++resume;
    } else {
      return false;
    }
  }
  while (pattern[at] === "*") at++;
  return at === pattern.length;
}
