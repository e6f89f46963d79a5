//! What is imported is a configuration that starts and does what the document says, and nothing is more open than that.

use std::{fs, path::PathBuf, process::Command};

use gatehouse::{
    config::{Config, Source},
    import::{Imported, Options, import},
};

use super::Folder;
use crate::support::{Gateway, Upstream, guest};

/// A document without a word of AWS.
const PLAIN: &str = r##"
openapi: 3.1.0
servers: [{ url: "http://{upstream}/v1" }]
paths:
  /pets:
    get:
      operationId: list.pets
      parameters: [{ name: limit, in: query, schema: { type: integer } }]
    post:
      requestBody: { required: true, content: { application/json: { schema: { type: object, required: [name] } } } }
  /pets/{id}:
    get: { operationId: getPet }
  /admin:
    get: { operationId: admin, security: [{ basic: [] }] }
components: { securitySchemes: { basic: { type: http, scheme: basic } } }
"##;

fn options(folder: &Folder) -> Options {
    Options {
        document: folder.path().join("api.yaml"),
        folder: PathBuf::from("/elsewhere"),
        upstream: None,
        plugins: guest("transform").parent().unwrap().to_owned(),
    }
}

fn imported(document: &str, upstream: &Upstream) -> (Folder, Imported) {
    let folder = Folder::with(&document.replace("{upstream}", &upstream.address().to_string()));
    let imported = import(&options(&folder)).unwrap();
    (folder, imported)
}

/// Starts what was imported, on a port of its own.
fn gateway(imported: &Imported, upstream: &Upstream) -> Gateway {
    let listener = "[listeners.public]\naddress = \"127.0.0.1:8080\"";
    assert!(imported.text.contains(listener), "{}", imported.text);
    Gateway::start(&imported.text.replace(listener, "[listeners.main]\naddress = \"127.0.0.1:0\""), upstream)
}

#[tokio::test]
async fn a_plain_document_is_served_and_validated() {
    let upstream = Upstream::start();
    let (_folder, imported) = imported(PLAIN, &upstream);
    let gateway = gateway(&imported, &upstream);
    for (method, target, body, status) in [
        ("GET", "/v1/pets?limit=3", "", 200),
        ("GET", "/v1/pets?limit=x", "", 400),
        ("POST", "/v1/pets", "{\"name\": 1}", 200),
        ("POST", "/v1/pets", "{}", 400),
        ("GET", "/v1/pets/7", "", 200),
        ("DELETE", "/v1/pets/7", "", 405),
        ("GET", "/pets", "", 404),
        // Its authorizer is not mapped, and it is not open instead.
        ("GET", "/v1/admin", "", 501),
    ] {
        let reply = gateway.call(method, target).body(body).await;
        assert_eq!(reply.status, status, "{method} {target} {}", imported.text);
    }
    assert_eq!(upstream.last().target, "/v1/pets/7");
    let [left] = &imported.left_out[..] else { panic!("{:?}", imported.left_out) };
    assert!(left.contains("api.yaml:15:/components/securitySchemes/basic: users are not in the document"), "{left}");
}

#[tokio::test]
async fn an_export_of_aws_does_what_it_did_there() {
    let upstream = Upstream::start();
    let (_folder, imported) = imported(include_str!("aws.yaml"), &upstream);
    let gateway = gateway(&imported, &upstream);
    // A path that changes, and headers that are set.
    assert_eq!(gateway.get("/pets?limit=7").await.status, 200);
    let seen = upstream.last();
    assert_eq!(
        (&*seen.target, seen.header("x-source"), seen.header("x-client")),
        ("/animals?limit=7", Some("gateway"), Some("127.0.0.1"))
    );
    assert_eq!(gateway.call("PUT", "/files/a/b").await.status, 200);
    assert_eq!((&*upstream.last().method, &*upstream.last().target), ("PUT", "/static/a/b"));
    // Validation, with the answers of the document.
    let reply = gateway.get("/pets?limit=101").await;
    assert_eq!(reply.status, 422);
    let reply = gateway.call("POST", "/pets").header("content-type", "application/json").body("{}").await;
    assert_eq!(reply.status, 422);
    let reply = gateway.call("POST", "/pets").header("content-type", "application/json").body("{\"name\": null}").await;
    assert_eq!((reply.status, upstream.last().target.as_str()), (200, "/pets"));
    // Authorizers.
    let reply = gateway.get("/pets/7").await;
    assert_eq!((reply.status, gateway.call("DELETE", "/pets/7").await.status), (401, 401));
    // Errors.
    let reply = gateway.get("/none").await;
    assert_eq!((reply.status, reply.header("x-failed")), (404, Some("yes")));
    assert!(reply.json()["message"].is_string() && reply.json()["id"].as_str() == reply.header("x-request-id"));
    // CORS.
    let call = gateway.call("OPTIONS", "/pets").header("origin", "https://app.example");
    let reply = call.header("access-control-request-method", "POST").await;
    assert_eq!((reply.status, reply.header("access-control-allow-origin")), (204, Some("https://app.example")));
    assert_eq!(reply.header("access-control-allow-headers"), Some("content-type, x-api-key"));
    // A mock.
    let reply = gateway.get("/health").await;
    assert_eq!(
        (reply.status, reply.text(), reply.header("content-type")),
        (200, "{\"ok\":true}", Some("application/json"))
    );
    // What is not taken over is not open by a wider route.
    let before = upstream.seen().len();
    for path in ["/files/secret", "/files/keyed", "/files/report"] {
        assert_eq!(gateway.get(path).await.status, 501, "{path}");
    }
    assert_eq!(upstream.seen().len(), before);
}

#[test]
fn what_is_left_out_is_listed_with_its_place_and_stands_in_the_file() {
    let upstream = Upstream::start();
    let (_folder, imported) = imported(include_str!("aws.yaml"), &upstream);
    for expected in [
        "api.yaml:17:/x-amazon-apigateway-gateway-responses/DEFAULT_5XX/responseTemplates/application~1json: left out: a template",
        "api.yaml:16:/x-amazon-apigateway-gateway-responses/WAF_FILTERED: left out: no failure here is like it",
        "api.yaml:15:/x-amazon-apigateway-gateway-responses/THROTTLED/statusCode: left out: the status of a failure is 400 to 599",
        "/x-amazon-apigateway-api-key-source: left out: API keys",
        "/x-amazon-apigateway-binary-media-types: left out",
        "/x-amazon-apigateway-minimum-compression-size: left out",
        "/x-amazon-apigateway-policy: left out: a resource policy",
        "/paths/~1pets/get/x-amazon-apigateway-integration/timeoutInMillis: left out",
        "integration.request.querystring.q: left out",
        "/components/securitySchemes/lambda/x-amazon-apigateway-authorizer: a Lambda authorizer: run its code as a plugin",
        "/components/securitySchemes/key: keys are not in the document",
        "/paths/~1files~1report/get/x-amazon-apigateway-integration: a Lambda function",
        "/paths/~1report.{format}/get: left out: no route can have this path",
    ] {
        let found = imported.left_out.iter().find(|line| line.contains(expected));
        let line = found.unwrap_or_else(|| panic!("{expected}: {:#?}", imported.left_out));
        assert!(imported.text.contains(&format!("# - {line}\n")), "{line}");
    }
}

#[test]
fn the_same_document_gives_the_same_text() {
    let upstream = Upstream::start();
    let (folder, first) = imported(include_str!("aws.yaml"), &upstream);
    assert_eq!(import(&options(&folder)).unwrap().text, first.text);
}

#[test]
fn a_document_that_cannot_be_imported_says_why() {
    let folder = Folder::new();
    for (document, expected) in [
        ("swagger: '2.0'", "api.yaml:1:/swagger: this is OpenAPI 2.0: convert it to 3.0"),
        ("openapi: 3.0.0", "it has no operations"),
        ("openapi: 3.0.0\npaths: { /a: { get: {} } }", ""),
        ("a: [", "is not YAML"),
    ] {
        folder.write("api.yaml", document);
        match import(&options(&folder)) {
            Err(why) => assert!(!expected.is_empty() && why.contains(expected), "{document}: {why}"),
            // A route that answers 501, and says what to do.
            Ok(imported) => assert!(expected.is_empty() && imported.text.contains("name it with `--upstream`")),
        }
    }
}

#[test]
fn the_command_writes_a_file_that_check_accepts_and_lists_on_standard_error() {
    let folder = Folder::with(&PLAIN.replace("{upstream}", "127.0.0.1:9"));
    let run = |args: &[&str]| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_gatehouse")).args(args).current_dir(folder.path()).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, out, err) = run(&["import", "api.yaml", "--output", "gatehouse.toml"]);
    assert_eq!((code, &*out), (Some(0), ""));
    assert!(err.starts_with("api.yaml:15:/components/securitySchemes/basic: "), "{err}");
    assert_eq!(run(&["check", "gatehouse.toml"]).0, Some(0));
    assert!(fs::read_to_string(folder.path().join("gatehouse.toml")).unwrap().contains("openapi = \"api.yaml\""));
    // Nothing is written over, and `--strict` says by its code that something is left out.
    assert_eq!(run(&["import", "api.yaml", "--output", "gatehouse.toml"]).0, Some(1));
    let (code, out, _) = run(&["import", "api.yaml", "--strict", "--upstream", "http://10.0.0.1:80"]);
    assert!(code == Some(2) && out.contains("url = \"http://10.0.0.1:80\""), "{out}");
}

#[test]
fn the_example_is_what_the_command_writes() {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/openapi"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatehouse"));
    let output = command.args(["import", "api.yaml"]).current_dir(&folder).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), fs::read_to_string(folder.join("gatehouse.toml")).unwrap());
}

#[test]
fn what_a_document_says_stays_text() {
    let evil = r#"\n[routes.evil]\nupstream = \"x\"\n"#;
    let upstream = Upstream::start();
    let document = PLAIN
        .replace("list.pets", &format!("\"{evil}\""))
        .replace("schema: { type: integer }", &format!("schema: {{ $ref: \"{evil}.yaml\" }}"))
        .replace("basic:", &format!("\"{evil}\":"));
    let (_folder, imported) = imported(&document, &upstream);
    let config = Config::parse(Source::new("/elsewhere/gatehouse.toml", &imported.text)).unwrap();
    assert!(config.routes.iter().all(|route| route.name != "evil"), "{}", imported.text);
    // Nor does it name what only the operator may.
    let document = PLAIN.replace("{upstream}", "${env.HOME}.example");
    let (_folder, imported) = self::imported(&document, &upstream);
    assert!(!imported.text.lines().any(|line| line.contains("${env.") && !line.starts_with('#')), "{}", imported.text);
}

#[tokio::test]
async fn a_path_that_no_route_can_have_is_not_served_by_a_wider_one() {
    let upstream = Upstream::start();
    let more = "  /{name}:\n    get: {}\n  /a/report.{format}:\n    get: { security: [{ basic: [] }] }\n  /a/{rest+}:\n    get: {}\n";
    let (_folder, imported) = imported(&PLAIN.replace("  /pets:\n", &format!("{more}  /pets:\n")), &upstream);
    let gateway = gateway(&imported, &upstream);
    assert_eq!((gateway.get("/v1/a/b/c").await.status, gateway.get("/v1/a/report.csv").await.status), (200, 501));
    assert!(imported.left_out.iter().any(|line| line.contains("no route can have this path")));
}

/// Documents that are broken in any way give a configuration or a reason, and never a panic.
#[test]
fn broken_documents_end_in_a_configuration_or_a_reason() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let folder = Folder::new();
    let pieces = [
        "null",
        "[]",
        "{}",
        "\"",
        "'",
        "$ref: '#/paths'",
        "*a",
        "&a",
        "\u{0}",
        "-1",
        "{proxy+}",
        "\n",
        ": ",
        "\u{1f600}",
        "$",
        "${env.HOME}",
        "][",
    ];
    let (mut good, mut bad) = (0, 0);
    for round in 0..400 {
        let mut text = [PLAIN, include_str!("aws.yaml")][round % 2].replace("{upstream}", "127.0.0.1:9");
        for _ in 0..=next(4) {
            let mut at = next(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            let end = (at + next(30)).min(text.len());
            let end = (end..=text.len()).find(|end| text.is_char_boundary(*end)).unwrap();
            match next(3) {
                0 => text.replace_range(at..end, ""),
                1 => text.replace_range(at..end, pieces[next(pieces.len())]),
                _ => text.insert_str(at, pieces[next(pieces.len())]),
            }
        }
        folder.write("api.yaml", &text);
        match import(&options(&folder)) {
            Ok(imported) => {
                good += 1;
                Config::parse(Source::new("/elsewhere/gatehouse.toml", &imported.text)).unwrap();
            }
            Err(why) => {
                bad += 1;
                assert!(!why.contains("a mistake of the import"), "{why}\n{text}");
            }
        }
    }
    assert!(good > 20 && bad > 20, "{good} {bad}");
}
