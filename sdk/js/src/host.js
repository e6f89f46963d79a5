// The functions that the gateway gives a plugin, by the contract's interfaces: `host().request.header("accept")`. In a
// component they are its imports, in a test the doubles of test.js. Nothing else of the SDK knows which of the two.

let current;

export function bind(functions) {
  current = functions;
}

export function host() {
  if (!current) {
    throw new Error(
      "the gateway is not there yet: what a module does outside of its hooks and init is done when it is built",
    );
  }
  return current;
}

/** Not while a component is built, when modules are evaluated. */
export function isThere() {
  return current !== undefined;
}

/** One interface that has to be asked for in plugin.toml. */
export function asked(name, what) {
  const functions = host()[name];
  if (!functions) throw new TypeError(`${what} needs asks = ["${name}"] in plugin.toml`);
  return functions;
}

/** As text that a component can hand over: half a surrogate pair cannot be. */
export function text(value) {
  const string = String(value);
  return string.isWellFormed && !string.isWellFormed() ? string.toWellFormed() : string;
}
