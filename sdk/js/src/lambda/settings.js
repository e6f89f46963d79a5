// What the operator configures: what AWS keeps beside a function when it is made an authorizer.

const KEYS = [
  "type",
  "payload",
  "identity_sources",
  "identity_validation",
  "ttl",
  "region",
  "account_id",
  "api_id",
  "stage",
  "stage_variables",
  "environment",
];

const SOURCE = /^\$?(?:(?:method\.)?request\.(?=header|querystring))?(header|querystring|context|stageVariables)\.(.+)$/;

const TTL = { "1.0": 300, "2.0": 0 };

export function settingsOf(config) {
  for (const key of Object.keys(config)) {
    if (!KEYS.includes(key)) throw new Error(`\`${key}\` is unknown: there are ${KEYS.join(", ")}`);
  }
  const type = oneOf(config, "type", ["REQUEST", "TOKEN"]);
  const payload = oneOf(config, "payload", ["1.0", "2.0"]);
  if (type === "TOKEN" && payload === "2.0") throw new Error("`payload` is 2.0: a TOKEN authorizer has no versions of events");
  const sources = config.identity_sources ?? (type === "TOKEN" ? ["method.request.header.Authorization"] : []);
  if (type === "TOKEN" && sources.length !== 1) throw new Error("`identity_sources` of a TOKEN authorizer is one header");
  const ttl = config.ttl ?? TTL[payload];
  if (!Number.isInteger(ttl) || ttl < 0 || ttl > 3600) throw new Error("`ttl` is a number of seconds from 0 to 3600");
  return {
    type,
    payload,
    sources: sources.map(identitySource),
    validation: config.identity_validation === undefined ? undefined : new RegExp(`^(?:${config.identity_validation})$`),
    ttl,
    region: config.region ?? "local",
    accountId: config.account_id ?? "000000000000",
    apiId: config.api_id ?? "gatehouse",
    stage: config.stage ?? "$default",
    stageVariables: config.stage_variables,
    environment: config.environment ?? {},
  };
}

function oneOf(config, key, values) {
  const value = config[key] ?? values[0];
  if (!values.includes(value)) throw new Error(`\`${key}\` is ${values.join(" or ")}`);
  return value;
}

/** `method.request.header.NAME` of REST APIs and `$request.header.NAME` of HTTP APIs are the same. */
function identitySource(text) {
  const [, kind, name] = SOURCE.exec(text) ?? [];
  if (kind === undefined) throw new Error(`\`identity_sources\`: ${text} is no source that there is`);
  const path = name.split(".");
  switch (kind) {
    case "header":
      return (request) => request.header(name);
    case "querystring":
      return (request) => request.queryParam(name);
    case "stageVariables":
      return (_request, settings) => settings.stageVariables?.[name];
    default:
      // Of the event's own context, so that it means the same in both.
      return (_request, _settings, context) => path.reduce((value, part) => value?.[part], context());
  }
}
