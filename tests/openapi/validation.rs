//! Requests are held against operations: their parameters, their bodies; and documents that are no good are told.

use super::Folder;
use crate::support::{Gateway, Process, Raw, Reply, Upstream, raw::DEADLINE, until};

const PETS: &str = r##"
openapi: 3.0.3
info: { title: pets, version: "1" }
paths:
  /pets:
    get:
      operationId: listPets
      parameters:
        - { name: limit, in: query, schema: { type: integer, minimum: 1, maximum: 100, exclusiveMaximum: true } }
        - { name: kind, in: query, schema: { type: array, items: { $ref: "#/components/schemas/Kind" }, maxItems: 2 } }
        - { name: ids, in: query, style: form, explode: false, schema: { type: array, items: { type: integer } } }
        - { name: tags, in: query, style: pipeDelimited, explode: false, schema: { type: array, items: { maxLength: 3, type: string } } }
        - name: filter
          in: query
          style: deepObject
          schema: { type: object, additionalProperties: false, properties: { age: { type: integer }, name: { type: string } } }
        - { name: where, in: query, content: { application/json: { schema: { type: object, required: [a] } } } }
        - { name: all, in: query, allowEmptyValue: true, schema: { type: boolean } }
        - { name: x-tenant, in: header, required: true, schema: { type: string, pattern: "^[a-z]+$" } }
        - { name: sid, in: cookie, schema: { type: string, minLength: 3 } }
        - { name: Accept, in: header, required: true, schema: { enum: [nothing] } }
    post:
      operationId: createPet
      requestBody:
        required: true
        content:
          application/json: { schema: { $ref: "#/components/schemas/Pet" } }
          application/*: { schema: { type: string } }
          text/csv: {}
  /pets/{petId}:
    parameters:
      - { name: petId, in: path, required: true, schema: { type: integer, format: int64, minimum: 1 } }
    get: { operationId: getPet }
    put:
      requestBody: { $ref: "parts/bodies.yaml#/update" }
components:
  schemas:
    Kind: { type: string, enum: [cat, dog] }
    Pet:
      type: object
      required: [id, name]
      properties:
        id: { type: integer, readOnly: true }
        name: { type: string, minLength: 1 }
        kind: { $ref: "#/components/schemas/Kind" }
        note: { type: string, nullable: true }
        age: { type: number, minimum: 0, exclusiveMinimum: true }
        parent: { $ref: "#/components/schemas/Pet" }
      additionalProperties: false
"##;

const BODIES: &str = r##"
update:
  content:
    application/json:
      schema: { allOf: [{ $ref: "../api.yaml#/components/schemas/Pet" }] }
"##;

fn pets() -> Folder {
    let folder = Folder::with(PETS);
    folder.write("parts/bodies.yaml", BODIES);
    folder
}

/// A gateway whose routes are `[routes.NAME]` tables, with a validator `api` of more keys.
fn gateway(folder: &Folder, more: &str, routes: &str, upstream: &Upstream) -> Gateway {
    Gateway::start(&text(folder, more, routes), upstream)
}

fn text(folder: &Folder, more: &str, routes: &str) -> String {
    let document = folder.path().join("api.yaml");
    format!("[validators.api]\nopenapi = \"{}\"\n{more}\n{routes}", document.display())
}

const EVERYTHING: &str = "[routes.all]\nvalidate = \"api\"\nupstream = \"up\"\n";

fn message(reply: &Reply) -> String {
    match reply.status {
        200 => String::new(),
        400 => reply.json()["message"].as_str().unwrap().to_owned(),
        status => format!("{status} {}", reply.json()["message"].as_str().unwrap_or_default()),
    }
}

#[tokio::test]
async fn parameters_are_read_by_their_style_and_held_against_their_schemas() {
    let (folder, upstream) = (pets(), Upstream::start());
    let gateway = gateway(&folder, "", EVERYTHING, &upstream);
    for (query, expected) in [
        ("", ""),
        ("limit=99&other=secret", ""),
        ("limit=100", "the query parameter `limit` is not valid: it is greater than or equal to the maximum of 100"),
        ("limit=secret", "the query parameter `limit` is not valid: it is not of type \"integer\""),
        ("limit=1&limit=1", "the query parameter `limit` comes twice"),
        ("kind=cat&kind=dog", ""),
        ("kind=cat&kind=cow", "the query parameter `kind` is not valid: /1: it is not one of \"cat\" or \"dog\""),
        ("kind=cat&kind=cat&kind=cat", "the query parameter `kind` is not valid: it has more than 2 items"),
        ("ids=1,2", ""),
        ("ids=1,b", "the query parameter `ids` is not valid: /1: it is not of type \"integer\""),
        ("tags=a%7Cbcd", ""),
        ("tags=a%7Cbcde", "the query parameter `tags` is not valid: /1: it is longer than 3 characters"),
        ("filter%5Bage%5D=3&filter[name]=7", ""),
        ("filter[age]=x", "the query parameter `filter` is not valid: /age: it is not of type \"integer\""),
        ("filter[age]=1&filter[age]=2", "a member of the query parameter `filter` comes twice"),
        ("where=%7B%22a%22:1%7D", ""),
        ("where=%7B%7D", "the query parameter `where` is not valid: \"a\" is a required property"),
        ("where=%7B", "the query parameter `where` is not JSON"),
        ("all", ""),
        ("all=true", ""),
        ("all=yes", "the query parameter `all` is not valid: it is not of type \"boolean\""),
    ] {
        let reply = gateway.call("GET", &format!("/pets?{query}")).header("x-tenant", "acme").await;
        assert_eq!(message(&reply), expected, "{query}");
    }
    let ask = |tenant, cookie| gateway.call("GET", "/pets").header("x-tenant", tenant).header("cookie", cookie);
    let told = message(&ask("ACME", "sid=ab").await);
    let expected = "the header `x-tenant` is not valid: it does not match \"^[a-z]+$\"; \
        the cookie `sid` is not valid: it is shorter than 3 characters";
    assert_eq!(told, expected);
    assert_eq!(message(&ask("acme", "sid=abc").await), "");
    assert_eq!(message(&gateway.get("/pets?limit=0").await).split(';').next(), Some("missing: the header `x-tenant`"));
}

#[tokio::test]
async fn the_operation_is_that_of_the_requests_method_and_path() {
    let (folder, upstream) = (pets(), Upstream::start());
    let gateway = gateway(&folder, "base_path = \"/v1\"", EVERYTHING, &upstream);
    for (method, path, expected) in [
        ("GET", "/v1/pets/7", ""),
        ("HEAD", "/v1/pets/7", ""),
        ("GET", "/v1/pets/%37", ""),
        ("GET", "/v1/pets/0", "the path parameter `petId` is not valid: it is less than the minimum of 1"),
        ("GET", "/v1/pets/x", "the path parameter `petId` is not valid: it is not of type \"integer\""),
        ("DELETE", "/v1/pets/7", "the API has no such operation"),
        ("GET", "/pets/7", "the API has no such operation"),
        ("GET", "/v1/none", "the API has no such operation"),
    ] {
        assert_eq!(message(&gateway.call(method, path).await), expected, "{method} {path}");
    }
    assert_eq!(upstream.seen().len(), 3);
}

#[tokio::test]
async fn a_body_is_held_against_the_schema_of_its_type() {
    let (folder, upstream) = (pets(), Upstream::start());
    let gateway = gateway(&folder, "", EVERYTHING, &upstream);
    let post = async |kind: &str, body: &str| {
        let call = gateway.call("POST", "/pets").body(body.to_owned());
        message(&if kind.is_empty() { call.await } else { call.header("content-type", kind).await })
    };
    for (body, expected) in [
        (r#"{"name": "Rex", "kind": "dog", "note": null, "age": 0.5, "parent": {"name": "Max"}}"#, ""),
        ("{}", "the body is not valid: \"name\" is a required property"),
        (r#"{"name": "Rex", "age": 0}"#, "the body is not valid: /age: it is less than or equal to the minimum of 0"),
        (r#"{"name": "Rex", "kind": "cow"}"#, "the body is not valid: /kind: it is not one of \"cat\" or \"dog\""),
        (
            r#"{"name": "Rex", "parent": {"name": ""}}"#,
            "the body is not valid: /parent/name: it is shorter than 1 character",
        ),
        ("", "missing: the body"),
    ] {
        assert_eq!(post("application/json", body).await, expected, "{body}");
        assert_eq!(post("", body).await, expected, "{body}");
    }
    assert!(post("application/json", "{").await.starts_with("the body is not JSON: "));
    // What is no JSON is not read, and goes on.
    assert_eq!((post("text/csv", "{").await, post("application/pdf", "{").await), (String::new(), String::new()));
    let reply = gateway.call("POST", "/pets").header("content-type", "text/plain").body("a").await;
    assert_eq!((reply.status, reply.header("accept")), (415, Some("application/json, text/csv, application/*")));
    let call = gateway.call("POST", "/pets").header("content-type", "application/json");
    assert_eq!(call.header("content-encoding", "gzip").body("{}").await.status, 415);
    // By a file beside the document, where no body is required.
    let put = async |body: &str| message(&gateway.call("PUT", "/pets/1").body(body.to_owned()).await);
    assert_eq!((put("{\"name\": \"Rex\"}").await, put("").await), (String::new(), String::new()));
    assert_eq!(put("{\"name\": 7}").await, "the body is not valid: /name: it is not of type \"string\"");
}

#[tokio::test]
async fn an_operation_that_is_named_is_held_to_wherever_its_route_is() {
    let (folder, upstream) = (pets(), Upstream::start());
    let route = "[routes.a]\npath = \"/animals/{petId}\"\nvalidate = \"api\"\nupstream = \"up\"\n";
    for name in ["getPet", "PUT /pets/{petId}"] {
        let gateway = gateway(&folder, &format!("operation = \"{name}\""), route, &upstream);
        assert_eq!(gateway.get("/animals/3").await.status, 200);
        let expected = "the path parameter `petId` is not valid: it is not of type \"integer\"";
        assert_eq!(message(&gateway.get("/animals/x").await), expected);
    }
}

#[tokio::test]
async fn checks_leave_out_what_they_do_not_name() {
    let (folder, upstream) = (pets(), Upstream::start());
    for (checks, query, body) in
        [("\"parameters\"", 400, 200), ("\"body\"", 200, 400), ("\"body\", \"parameters\"", 400, 400)]
    {
        let gateway = gateway(&folder, &format!("checks = [{checks}]"), EVERYTHING, &upstream);
        let listed = gateway.call("GET", "/pets?limit=x").header("x-tenant", "acme").await;
        let made = gateway.call("POST", "/pets").body("{}").await;
        assert_eq!((listed.status, made.status), (query, body), "{checks}");
    }
    let gateway = gateway(&folder, "body_bytes = \"1KiB\"", EVERYTHING, &upstream);
    let long = format!("{{\"name\": \"{}\"}}", "n".repeat(1 << 10));
    assert_eq!(gateway.call("POST", "/pets").body(long).await.status, 413);
}

#[tokio::test]
async fn json_documents_of_3_1_are_read_too() {
    let folder = Folder::with(
        r##"{ "openapi": "3.1.0", "paths": { "/a": { "post": {
            "parameters": [{ "name": "n", "in": "query", "schema": { "type": ["integer", "null"], "exclusiveMinimum": 3 } }],
            "requestBody": { "content": { "application/json": { "schema": {
                "prefixItems": [{ "const": "\ud83d\ude00" }, { "$ref": "#/$defs/x", "maxLength": 2 }], "items": false } } } } } } },
            "$defs": { "x": { "type": "string", "minLength": 2 } } }"##,
    );
    let upstream = Upstream::start();
    let gateway = gateway(&folder, "", EVERYTHING, &upstream);
    for (target, body, status) in [
        ("/a?n=4", "[\"\u{1f600}\", \"ab\"]", 200),
        ("/a?n=3", "[]", 400),
        ("/a", "[\"\u{1f600}\", \"abc\"]", 400),
        ("/a", "[\"\u{1f600}\", \"ab\", 1]", 400),
        ("/a", "[\"x\"]", 400),
    ] {
        assert_eq!(gateway.call("POST", target).body(body).await.status, status, "{target} {body}");
    }
}

#[test]
fn what_is_wrong_with_a_document_is_told_with_its_line_and_its_pointer() {
    let upstream = Upstream::start();
    let folder = pets();
    let gateway = gateway(&folder, "", EVERYTHING, &upstream);
    let minimum = "  /a:\n    get:\n      parameters:\n        - { name: a, in: query, schema: SCHEMA }\n";
    let of = |schema: &str| format!("openapi: 3.1.0\npaths:\n{}", minimum.replace("SCHEMA", schema));
    let at = "api.yaml:6:/paths/~1a/get/parameters/0/schema";
    for (document, expected) in [
        ("openapi: [", "api.yaml:2: is not YAML".to_owned()),
        ("swagger: '2.0'", "api.yaml:1:/swagger: this is OpenAPI 2.0: convert it to 3.0".to_owned()),
        (
            "openapi: 3.1.0\njsonSchemaDialect: http://json-schema.org/draft-07/schema#",
            "api.yaml:2:/jsonSchemaDialect: only schemas of".to_owned(),
        ),
        ("openapi: 4.0.0", "api.yaml:1:/openapi: only OpenAPI 3.0 and 3.1 are read".to_owned()),
        (&of("{ type: strin }"), format!("{at}/type: this is no JSON Schema: ")),
        (&of("{ pattern: '(?=a)' }"), format!("{at}/pattern: this is no JSON Schema: it is not a \"regex\"")),
        (&of("{ $ref: '#/none' }"), format!("{at}/$ref: there is no `#/none`")),
        (&of("{ $ref: 'https://example.com/a.yaml' }"), format!("{at}/$ref: nothing is fetched from the network")),
        (&of("{ $ref: '../a.yaml' }"), format!("{at}/$ref: this leads out of the folder of the document")),
        (&of("{ $ref: '/etc/passwd' }"), format!("{at}/$ref: this leads out of the folder of the document")),
        (&of("{ $ref: 'none.yaml' }"), "none.yaml: cannot be read".to_owned()),
        (&of("{ $dynamicRef: '#a' }"), format!("{at}/$dynamicRef: `$dynamicRef` is not understood here")),
        (&of("{ type: object }"), "an object as a parameter is read in the style `deepObject` only".to_owned()),
        (&of("{ $ref: '#/paths/~1a/get/parameters/0/schema' }"), "this `$ref` leads in a circle".to_owned()),
        ("openapi: 3.1.0\npaths: { '/a.{b}': { get: {} } }", "no route can have the path `/a.{b}`".to_owned()),
    ] {
        folder.write("api.yaml", document);
        let problems = gateway.reload_files().unwrap_err().to_string();
        assert!(problems.contains("gatehouse.toml:2:11: ") && problems.contains(&expected), "{document}: {problems}");
    }
}

#[test]
fn a_route_whose_requests_have_no_operation_is_a_problem() {
    let (folder, upstream) = (pets(), Upstream::start());
    let gateway = gateway(&folder, "", EVERYTHING, &upstream);
    for (more, route, expected) in [
        ("operation = \"getPets\"", "path = \"/\"", "has no operation `getPets`: did you mean `getPet`?"),
        (
            "operation = \"getPet\"",
            "path = \"/{id}\"",
            "asks for the path parameter `petId`, which this route's path has not",
        ),
        (
            "",
            "path = \"/pets/{id}\"\nmethods = [\"GET\", \"DELETE\"]",
            "has no operation for DELETE on this route's path",
        ),
        (
            "base_path = \"/v1\"",
            "path = \"/pets\"\nmethods = [\"GET\"]",
            "has no operation for GET on this route's path",
        ),
    ] {
        let routes = format!("[routes.r]\n{route}\nvalidate = \"api\"\nupstream = \"up\"\n");
        let problems = gateway.reload(&text(&folder, more, &routes), &upstream).unwrap_err().to_string();
        assert!(problems.contains(expected), "{expected}: {problems}");
    }
    let fine =
        "[routes.r]\npath = \"/pets/{id}\"\nmethods = [\"GET\", \"PUT\"]\nvalidate = \"api\"\nupstream = \"up\"\n";
    gateway.reload(&text(&folder, "", fine), &upstream).unwrap();
}

#[test]
fn the_document_and_what_it_refers_to_are_watched() {
    let (folder, upstream) = (pets(), Upstream::start());
    let process = Process::start(&text(&folder, "", EVERYTHING), &upstream);
    let status = |path: &str| {
        let mut raw = Raw::connect(process.address());
        raw.send(format!("PUT {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{{}}")).response().status()
    };
    assert_eq!(status("/pets/1"), 400);
    folder.write("parts/bodies.yaml", "update: { content: { application/json: {} } }");
    until(DEADLINE, || status("/pets/1") == 200);
    folder.write("api.yaml", &PETS.replace("minimum: 1 } }\n    get", "minimum: 5 } }\n    get"));
    until(DEADLINE, || status("/pets/1") == 400);
}
