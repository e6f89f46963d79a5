// The events that AWS gives to functions. They are lazy: what a function does not look at is not read, so it is no part of
// the key under which the verdict is kept.

/** The identities, in the order of their sources. `undefined`: one is missing, and the function is not asked. */
export function identities(request, settings) {
  const context = () => (settings.payload === "2.0" ? context2(request, settings) : context1(request, settings));
  const found = settings.sources.map((source) => source(request, settings, context));
  if (found.some((identity) => identity === undefined || identity === null || identity === "")) return undefined;
  if (settings.type === "TOKEN" && settings.validation && !settings.validation.test(found[0])) return undefined;
  return found;
}

/** The part of the ARN that is the same for all requests. */
export function arnOfStage({ region, accountId, apiId, stage }) {
  return `arn:aws:execute-api:${region}:${accountId}:${apiId}/${stage}/`;
}

export function methodArn(request, settings) {
  return `${arnOfStage(settings)}${request.method}${request.path}`;
}

export function lambdaEvent(request, settings, found) {
  if (settings.type === "TOKEN") {
    return lazy({ type: () => "TOKEN", authorizationToken: () => found[0], methodArn: () => methodArn(request, settings) });
  }
  return settings.payload === "2.0" ? event2(request, settings, found) : event1(request, settings);
}

function event1(request, settings) {
  return lazy({
    version: () => "1.0",
    type: () => "REQUEST",
    methodArn: () => methodArn(request, settings),
    identitySource: () => undefined,
    resource: () => request.route,
    path: () => request.path,
    httpMethod: () => request.method,
    headers: () => headers(request, (values) => values.at(-1)),
    multiValueHeaders: () => headers(request, (values) => values),
    queryStringParameters: () => query(request, (values) => values.at(-1)) ?? null,
    multiValueQueryStringParameters: () => query(request, (values) => values) ?? null,
    pathParameters: () => named((name) => request.pathParam(name)),
    stageVariables: () => settings.stageVariables ?? null,
    requestContext: () => context1(request, settings),
  });
}

function context1(request, settings) {
  return lazy({
    path: () => request.path,
    accountId: () => settings.accountId,
    resourceId: () => request.route,
    stage: () => settings.stage,
    domainName: () => request.authority,
    requestId: () => request.id,
    identity: () =>
      lazy({
        sourceIp: () => request.clientIp,
        userAgent: () => request.header("user-agent") ?? null,
        apiKey: () => request.header("x-api-key") ?? null,
      }),
    resourcePath: () => request.route,
    httpMethod: () => request.method,
    protocol: () => request.protocol,
    apiId: () => settings.apiId,
  });
}

function event2(request, settings, found) {
  return lazy({
    version: () => "2.0",
    type: () => "REQUEST",
    routeArn: () => methodArn(request, settings),
    identitySource: () => (found.length > 0 ? found : null),
    routeKey: () => request.route,
    rawPath: () => request.path,
    rawQueryString: () => request.query ?? "",
    cookies: () => request.header("cookie")?.split(/; */),
    headers: () => headers(request, (values) => values.join(",")),
    queryStringParameters: () => query(request, (values) => values.join(",")),
    requestContext: () => context2(request, settings),
    pathParameters: () => named((name) => request.pathParam(name)),
    stageVariables: () => settings.stageVariables,
  });
}

function context2(request, settings) {
  return lazy({
    accountId: () => settings.accountId,
    apiId: () => settings.apiId,
    domainName: () => request.authority,
    domainPrefix: () => request.authority.split(".")[0],
    http: () =>
      lazy({
        method: () => request.method,
        path: () => request.path,
        protocol: () => request.protocol,
        sourceIp: () => request.clientIp,
        userAgent: () => request.header("user-agent") ?? "",
      }),
    requestId: () => request.id,
    routeKey: () => request.route,
    stage: () => settings.stage,
    timeEpoch: () => Date.now(),
  });
}

export function lambdaContext(request, name) {
  return lazy({
    functionName: () => name,
    functionVersion: () => "$LATEST",
    awsRequestId: () => request.id,
    callbackWaitsForEmptyEventLoop: () => false,
    // The gateway ends a hook that takes too long; there is no clock to look at before.
    getRemainingTimeInMillis: () => () => 1000,
  });
}

/** An object whose members are made when they are looked at. */
function lazy(members) {
  const made = {};
  for (const [name, read] of Object.entries(members)) {
    const become = (value) =>
      Object.defineProperty(made, name, { value, enumerable: true, configurable: true, writable: true });
    Object.defineProperty(made, name, {
      enumerable: true,
      configurable: true,
      get: () => become(read())[name],
      set: become,
    });
  }
  return made;
}

/** Headers by their names, in whatever case they are asked for. Who lists them gets lower case. */
function headers(request, value) {
  const one = (name) => {
    const values = request.headerValues(name.toLowerCase());
    return values.length > 0 ? value(values) : undefined;
  };
  return named(one, () => [...new Set(request.headers().map(([name]) => name))]);
}

/** `undefined` without a query. */
function query(request, value) {
  if (!request.query) return undefined;
  const names = request.query.split("&").map((pair) => decoded(pair.split("=")[0]));
  return Object.fromEntries([...new Set(names)].map((name) => [name, value(request.queryParams(name))]));
}

function decoded(text) {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return text;
  }
}

/** An object whose members are looked up one by one. */
function named(read, list = () => []) {
  const isName = (name) => typeof name === "string" && !(name in Object.prototype) && name !== "toJSON" && name !== "then";
  const find = (own, name) => (Object.hasOwn(own, name) ? own[name] : isName(name) ? read(name) : Reflect.get(own, name));
  return new Proxy(
    {},
    {
      get: find,
      has: (own, name) => find(own, name) !== undefined,
      ownKeys: (own) => [...new Set([...list(), ...Reflect.ownKeys(own)])],
      getOwnPropertyDescriptor: (own, name) => {
        const value = find(own, name);
        return value === undefined ? undefined : { value, enumerable: true, configurable: true, writable: true };
      },
    },
  );
}
