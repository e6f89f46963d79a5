// What the reads of the SDK call in a test in the place of the component's imports: functions of the same names. `exchange`
// and `gateway` give those that the call is for.

const joined = (fields, name) => {
  const found = values(fields, name);
  return found.length > 0 ? found.join(name.toLowerCase() === "cookie" ? "; " : ", ") : null;
};

const values = (fields, name) => fields.filter((field) => field.name === name.toLowerCase()).map(({ value }) => value);

const named = (record) => Object.entries(record).map(([name, value]) => ({ name, value: String(value) }));

export function functions(gateway, exchange) {
  const read = (what) => {
    exchange().noted.add(what);
    return exchange().request;
  };
  const parameters = (query, name) => new URLSearchParams(query ?? "").getAll(name);
  const request = {
    method: () => read("method").method,
    path: () => read("path").path,
    query: () => read("query").query ?? null,
    queryParam: (name) => parameters(read(`query-param:${name}`).query, name)[0] ?? null,
    queryParams: (name) => parameters(read(`query-params:${name}`).query, name),
    pathParam: (name) => read(`path-param:${name}`).pathParams[name] ?? null,
    scheme: () => read("scheme").scheme,
    authority: () => read("authority").authority,
    protocol: () => read("protocol").protocol,
    header: (name) => joined(read(`header:${name.toLowerCase()}`).headers, name),
    headerValues: (name) => values(read(`header-values:${name.toLowerCase()}`).headers, name),
    headers: () => read("headers").headers,
    cookie: (name) => {
      const pairs = (joined(read(`cookie:${name}`).headers, "cookie") ?? "").split(";").map((pair) => pair.trim());
      return pairs.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1) ?? null;
    },
    clientIp: () => read("client-ip").clientIp,
    route: () => read("route").route,
    id: () => read("id").id,
  };
  const response = {
    status: () => exchange().response.status,
    header: (name) => joined(exchange().response.headers, name),
    headerValues: (name) => values(exchange().response.headers, name),
    headers: () => exchange().response.headers,
  };
  const attributes = {
    get: (name) => (read(`attribute:${name}`), exchange().attributes[name] ?? null),
    all: () => (read("attributes"), named(exchange().attributes)),
  };
  const microseconds = (milliseconds) => (milliseconds === undefined ? null : Math.round(milliseconds * 1000));
  const outcome = {
    started: () => Number(exchange().outcome.started),
    duration: () => microseconds(exchange().outcome.duration),
    upstreamDuration: () => microseconds(exchange().outcome.upstreamDuration),
    requestBytes: () => exchange().outcome.requestBytes,
    responseBytes: () => exchange().outcome.responseBytes,
    verdict: () => exchange().outcome.verdict ?? null,
    verdictCached: () => exchange().outcome.verdictCached,
    failure: () => exchange().outcome.failure ?? null,
  };
  const log = {
    enabled: () => true,
    write: (level, message) => void gateway().log.push([level, message]),
  };
  const output = {
    writeLine: (line) => (gateway().output.push(line), true),
  };
  return { request, response, attributes, outcome, log, output, keyvalue: keyvalue(gateway) };
}

function keyvalue(gateway) {
  const other = (val) => Object.assign(new Error(val), { payload: { tag: "other", val } });
  const store = {
    open(name) {
      // Looked up at each call: a plugin may keep a bucket for longer than a test its gateway.
      const state = () => {
        const { buckets } = gateway();
        if (!buckets.has(name)) buckets.set(name, new Map());
        return buckets.get(name);
      };
      return {
        get: (key) => state().get(key) ?? null,
        set: (key, value) => void state().set(key, value),
        delete: (key) => void state().delete(key),
        exists: (key) => state().has(key),
        listKeys: () => ({ keys: [...state().keys()], cursor: null }),
      };
    },
  };
  const atomics = {
    increment(bucket, key, delta) {
      const text = new TextDecoder().decode(bucket.get(key) ?? new Uint8Array([0x30]));
      if (!/^-?\d+$/.test(text)) throw other("not a number");
      const sum = Number(text) + delta;
      bucket.set(key, new TextEncoder().encode(String(sum)));
      return sum;
    },
  };
  return { store, atomics };
}
