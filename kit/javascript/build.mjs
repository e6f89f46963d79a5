// Makes a component of a plugin's source: bundles it with the SDK by esbuild, and puts the bundle into QuickJS by
// componentize-qjs. Run by kit/src/javascript.rs, which writes what is to be done to a file: node build.mjs JOB.

import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const job = JSON.parse(readFileSync(process.argv[2], "utf8"));
job.sdk = path.resolve(job.sdk);
const tools = createRequire(path.join(job.tools, "package.json"));
const { build } = tools("esbuild");
const { componentize } = tools("componentize-qjs");

/** The functions that the SDK's `host()` has, by the modules that the component's imports are. */
const imports = {
  request: "gatehouse:plugin/request",
  response: "gatehouse:plugin/response",
  attributes: "gatehouse:plugin/attributes",
  outcome: "gatehouse:plugin/outcome",
  log: "gatehouse:plugin/log",
  random: "wasi:random/random",
};
const asked = {
  output: { output: "gatehouse:plugin/output" },
  http: { types: `${job.http}/types`, outgoingHandler: `${job.http}/outgoing-handler` },
  keyvalue: { store: "wasi:keyvalue/store", atomics: "wasi:keyvalue/atomics" },
};

/** The module that is the component's: names its imports, and exports what the SDK makes of the author's module. */
function entry() {
  const all = Object.entries({ ...imports, ...Object.assign({}, ...job.asks.map((ask) => asked[ask])) });
  const groups = job.asks.map((ask) =>
    ask === "output" ? "output" : `${ask}: { ${Object.keys(asked[ask]).join(", ")} }`,
  );
  const exported = ["lifecycle", ...job.hooks];
  return [
    ...all.map(([name, module]) => `import ${name} from ${JSON.stringify(module)};`),
    `import "@gatehouse/plugin/component/globals.js";`,
    `import { bind, exports } from "@gatehouse/plugin/component.js";`,
    `import * as plugin from ${JSON.stringify(job.source)};`,
    `const made = exports(plugin, ${JSON.stringify(job.hooks)}, ${JSON.stringify(job.manifest)}, () => places);`,
    `bind({ ${[...Object.keys(imports), ...groups].join(", ")} });`,
    `export const { ${exported.join(", ")} } = made;`,
  ].join("\n");
}

/** The places in the author's own files, by the lines of the bundle: a source map (ECMA-426) read down to its lines. */
function places(map) {
  const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const root = path.join(job.work, "bundle");
  const files = map.sources.map((source) => path.relative(job.folder, path.resolve(root, "..", source)));
  const found = [];
  let [file, line] = [0, 0];
  map.mappings.split(";").forEach((segments, at) => {
    segments.split(",").forEach((segment, position) => {
      const numbers = [];
      let [value, shift] = [0, 0];
      for (const digit of segment) {
        const bits = digits.indexOf(digit);
        value |= (bits & 31) << shift;
        shift += 5;
        if (bits & 32) continue;
        numbers.push(value & 1 ? -(value >> 1) : value >> 1);
        [value, shift] = [0, 0];
      }
      if (numbers.length < 4) return;
      file += numbers[1];
      line += numbers[2];
      if (position === 0 && isAuthors(files[file])) found.push([at + 1, `${files[file]}:${line + 1}`]);
    });
  });
  return found;
}

function isAuthors(file) {
  return (
    !file.startsWith("..") &&
    !file.split(path.sep).includes("node_modules") &&
    !path.isAbsolute(file) &&
    !path.resolve(job.folder, file).startsWith(job.sdk + path.sep)
  );
}

/** What componentize-qjs says, with the author's places for the bundle's, and without what only the SDK did. */
function inAuthorsWords(error) {
  const authors = new Map(found);
  return String(error.message ?? error)
    .replace(/^.*module evaluation: /, "")
    .replace(/componentize-qjs:user\.js:(\d+):\d+/g, (all, line) => authors.get(Number(line)) ?? all)
    .replace(/\n *at .*componentize-qjs:.*/g, "")
    .trim();
}

let found = [];
try {
  const { outputFiles } = await build({
    stdin: { contents: entry(), resolveDir: job.folder, sourcefile: path.join(job.work, "entry.js") },
    absWorkingDir: job.folder,
    outfile: path.join(job.work, "bundle.js"),
    alias: { "@gatehouse/plugin": job.sdk },
    external: ["gatehouse:*", "wasi:*", `${job.http}/*`],
    mainFields: ["module", "main"],
    // No engine's jobs run within a hook: see component/jobs.js of the SDK.
    supported: {
      "async-await": false,
      "async-generator": false,
      "for-await": false,
      "top-level-await": false,
      using: false,
    },
    bundle: true,
    write: false,
    format: "esm",
    target: "esnext",
    platform: "neutral",
    charset: "utf8",
    sourcemap: "external",
    sourcesContent: false,
    logLevel: "error",
  });
  const text = (end) => outputFiles.find((file) => file.path.endsWith(end)).text;
  found = places(JSON.parse(text(".js.map")));
  // One string, which costs an engine less than a table, and is looked into when something has failed.
  const table = found.map(([line, place]) => `\n${line}=${place}\n`).join("");
  const bundle = `${text(".js")}\nvar places = ${JSON.stringify(table)};\n`;
  writeFileSync(path.join(job.work, "bundle.js"), bundle);
  const { component } = await componentize({ witPath: job.wit, world: job.world, jsSource: bundle, sync: true });
  writeFileSync(job.component, component);
} catch (error) {
  // esbuild has said its own.
  if (!error.errors) console.error(inAuthorsWords(error));
  process.exit(1);
}
