// Promises in a component. A hook is a plain call there, and the engine runs no jobs within one: its own promises would never
// settle. So `Promise` and `queueMicrotask` are these, which `gatehouse plugin build` has `await` compiled to; when a hook
// returns a promise, jobs are run, and answers that it waits for are waited for, until the promise is settled.

let jobs = [];
let next = 0;
let waits = [];

export function queueJob(job) {
  jobs.push(job);
}

/** Something outside that is under way: `block` waits for it, settling promises; `drop` lets go of it. */
export function addWait(wait) {
  waits.push(wait);
}

/** The value of what a hook returned, be it a promise. What the hook did not wait for ends with it: it would go on within
 *  another exchange. */
export function settle(value) {
  try {
    return isThenable(value) ? settled(value) : value;
  } finally {
    if (jobs.length > 0 || waits.length > 0) drop();
  }
}

function settled(promise) {
  let end;
  promise.then(
    (value) => (end = { value }),
    (error) => (end = { error, failed: true }),
  );
  while (!end) {
    if (next < jobs.length) runJobs();
    else if (waits.length > 0) waits.shift().block();
    else throw new Error("the hook waits for a promise that nothing will settle");
  }
  if (end.failed) throw end.error;
  return end.value;
}

function runJobs() {
  while (next < jobs.length) jobs[next++]();
  jobs = [];
  next = 0;
}

function drop() {
  const dropped = waits;
  jobs = [];
  next = 0;
  waits = [];
  for (const wait of dropped) wait.drop();
}

function isThenable(value) {
  return typeof value === "object" && value !== null && typeof value.then === "function";
}
