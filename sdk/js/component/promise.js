// `Promise` as in ECMAScript, over the jobs of jobs.js.

import { queueJob } from "./jobs.js";

const callable = (value) => typeof value === "function";

export class JobPromise {
  #state = "pending";
  #value;
  #reactions = [];

  constructor(executor) {
    if (!callable(executor)) throw new TypeError("a promise is made with a function");
    const { resolve, reject } = this.#resolvers();
    try {
      executor(resolve, reject);
    } catch (error) {
      reject(error);
    }
  }

  #resolvers() {
    let called = false;
    const once = (run) => (value) => {
      if (!called) {
        called = true;
        run(value);
      }
    };
    return { resolve: once((value) => this.#resolve(value)), reject: once((error) => this.#settle("rejected", error)) };
  }

  #resolve(value) {
    if (value === this) return this.#settle("rejected", new TypeError("a promise cannot be resolved with itself"));
    let then;
    try {
      then = value !== null && (typeof value === "object" || callable(value)) ? value.then : undefined;
    } catch (error) {
      return this.#settle("rejected", error);
    }
    if (!callable(then)) return this.#settle("fulfilled", value);
    queueJob(() => {
      const { resolve, reject } = this.#resolvers();
      try {
        then.call(value, resolve, reject);
      } catch (error) {
        reject(error);
      }
    });
  }

  #settle(state, value) {
    this.#state = state;
    this.#value = value;
    for (const react of this.#reactions) queueJob(react);
    this.#reactions = undefined;
  }

  then(fulfilled, rejected) {
    return new this.constructor((resolve, reject) => {
      const react = () => {
        const handle = this.#state === "fulfilled" ? fulfilled : rejected;
        if (!callable(handle)) return this.#state === "fulfilled" ? resolve(this.#value) : reject(this.#value);
        try {
          resolve(handle(this.#value));
        } catch (error) {
          reject(error);
        }
      };
      if (this.#reactions) this.#reactions.push(react);
      else queueJob(react);
    });
  }

  catch(rejected) {
    return this.then(undefined, rejected);
  }

  finally(run) {
    if (!callable(run)) return this.then(run, run);
    const C = this.constructor;
    return this.then(
      (value) => C.resolve(run()).then(() => value),
      (error) => C.resolve(run()).then(() => C.reject(error)),
    );
  }

  get [Symbol.toStringTag]() {
    return "Promise";
  }

  static resolve(value) {
    return value instanceof JobPromise && value.constructor === this ? value : new this((resolve) => resolve(value));
  }

  static reject(error) {
    return new this((_, reject) => reject(error));
  }

  static withResolvers() {
    let resolve, reject;
    const promise = new this((...both) => ([resolve, reject] = both));
    return { promise, resolve, reject };
  }

  static try(run, ...args) {
    return new this((resolve) => resolve(run(...args)));
  }

  static race(all) {
    return new this((resolve, reject) => {
      for (const one of all) this.resolve(one).then(resolve, reject);
    });
  }

  static all(all) {
    return gather(this, all, (one, put, reject) => one.then(put, reject));
  }

  static allSettled(all) {
    return gather(this, all, (one, put) =>
      one.then(
        (value) => put({ status: "fulfilled", value }),
        (reason) => put({ status: "rejected", reason }),
      ),
    );
  }

  static any(all) {
    const failed = gather(this, all, (one, put, found) => one.then(found, put));
    // `gather` with the roles changed: it rejects with the first value, and is fulfilled with all errors.
    return failed.then(
      (errors) => this.reject(new AggregateError(errors, "all promises were rejected")),
      (value) => value,
    );
  }
}

/** One result for each of `all`, in their order; `watch` says by which way a promise puts its own or ends it all. */
function gather(C, all, watch) {
  return new C((resolve, reject) => {
    const results = [];
    let missing = 1;
    const arrived = () => --missing === 0 && resolve(results);
    let index = 0;
    for (const one of all) {
      const at = index++;
      missing++;
      watch(C.resolve(one), (result) => ((results[at] = result), arrived()), reject);
    }
    arrived();
  });
}
