// A component's end of the SDK: makes its exports of the author's module. The entry module that `gatehouse plugin build`
// writes calls `exports`; authors do not.

import { placedBy, words } from "./component/errors.js";
import { settle } from "./component/jobs.js";
import { hooks } from "./src/hooks.js";

export { bind } from "./src/host.js";

/**
 * The component's exports: the lifecycle, and each hook that plugin.toml lists. It runs when the component is built, so what
 * is wrong with the module is an error of the build. What `places` gives is for `placedBy`.
 */
export function exports(plugin, listed, manifest, places) {
  placedBy(places);
  for (const [name, functions] of Object.entries(hooks)) {
    for (const [hook, { otherwise }] of Object.entries(functions)) {
      const there = typeof plugin[hook] === "function";
      if (there && !listed.includes(name))
        throw new Error(`the source exports ${hook}, but \`hooks\` in plugin.toml has no ${dashed(name)}`);
      if (!there && !otherwise && listed.includes(name))
        throw new Error(`the source exports no function ${hook}, as the hook ${dashed(name)} needs`);
    }
  }
  const lifecycle = {
    describe: () => manifest,
    init: failing((config) => settle(plugin.init?.(JSON.parse(config)))),
  };
  return Object.fromEntries([["lifecycle", lifecycle], ...listed.map((name) => [name, hook(plugin, hooks[name])])]);
}

function hook(plugin, functions) {
  const made = ([name, { call, said, otherwise }]) => {
    const own = plugin[name] ?? otherwise;
    return [name, failing((...args) => said(settle(call(own, ...args))))];
  };
  return Object.fromEntries(Object.entries(functions).map(made));
}

/** What is thrown becomes the contract's error, a text for the log. Where the contract has none, as for the limits of bodies,
 *  the instance traps, and the text is in the log all the same. */
function failing(run) {
  return (...args) => {
    try {
      return run(...args);
    } catch (error) {
      throw words(error);
    }
  };
}

function dashed(name) {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
