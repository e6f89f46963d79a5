//! Ways to break a good configuration, each known by its place. In what a line is broken into, `§` marks where the problem
//! is to be told; without one the line is, and no column.

/// A configuration that must be refused.
pub(super) struct Broken {
    /// What was done to it.
    pub(super) what: String,
    pub(super) text: Vec<u8>,
    pub(super) place: Place,
}

/// Where the problem is told.
#[derive(Debug, Clone)]
pub(super) enum Place {
    At {
        line: usize,
        column: Option<usize>,
    },
    /// Nowhere in particular, in these words.
    Text(String),
}

/// A good text by its lines.
struct Good<'a> {
    lines: Vec<&'a str>,
}

/// A line of the good text that has a key and a value.
struct Pair<'a> {
    /// Its index.
    at: usize,
    table: &'a str,
    key: &'a str,
    value: &'a str,
}

/// All of them.
pub(super) fn all(text: &str) -> Vec<Broken> {
    let good = Good { lines: text.lines().collect() };
    let mut all = Vec::new();
    for pair in good.pairs() {
        all.extend(good.broken_pair(&pair));
    }
    for (at, header) in good.headers() {
        all.extend(good.broken_header(at, header));
    }
    all.extend(good.wrong_references());
    all.extend(good.without_text());
    all
}

impl<'a> Good<'a> {
    fn pairs(&self) -> Vec<Pair<'a>> {
        let (mut table, mut pairs) = ("", Vec::new());
        for (at, line) in self.lines.iter().enumerate() {
            if line.starts_with('[') {
                table = line.trim_matches(['[', ']']);
            } else if let Some((key, value)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) {
                pairs.push(Pair { at, table, key, value });
            }
        }
        pairs
    }

    fn headers(&self) -> impl Iterator<Item = (usize, &'a str)> {
        self.lines.iter().copied().enumerate().filter(|(_, line)| line.starts_with('['))
    }

    /// One line in place of another, or of none.
    fn with(&self, what: &str, at: usize, replaced: usize, new: &str) -> Broken {
        let mut lines: Vec<String> = self.lines.iter().map(|&line| line.to_owned()).collect();
        let marked = new.split('\n').enumerate().find_map(|(down, line)| Some((down, line.find('§')?)));
        let (down, column) = marked.map_or((0, None), |(down, byte)| (down, Some(byte + 1)));
        lines.splice(at..at + replaced, new.replace('§', "").split('\n').map(str::to_owned));
        let place = Place::At { line: at + down + 1, column };
        Broken { what: format!("{what}, line {}", at + 1), text: (lines.join("\n") + "\n").into_bytes(), place }
    }

    fn broken_pair(&self, pair: &Pair<'a>) -> Vec<Broken> {
        let Pair { at, table, key, value } = *pair;
        let instead = |what: &str, new: String| self.with(what, at, 1, &new);
        let mut broken = vec![
            instead("a key twice", format!("{key} = {value}\n§{key} = {value}")),
            instead("no value", format!("{key} =§")),
            instead("no equals sign", format!("{key} {value}")),
            instead("a stray byte", format!("@{key} = {value}")),
            instead("a control character", format!("{key} = \u{1}{value}")),
            instead("two values", format!("{key} = {value} {value}")),
        ];
        if value.starts_with('"') {
            broken.push(instead("an open string", format!("{key} = {}", &value[..value.len() - 1])));
            broken.push(instead("no such escape", format!("{key} = \"\\q{}", &value[1..])));
            broken.push(instead("a zero byte", format!("{key} = \"\0{}", &value[1..])));
        }
        let anything_goes = table.ends_with(".config") || table.ends_with("_headers") || key == "config";
        if !anything_goes {
            broken.push(instead("a date for a value", format!("{key} = §1979-05-27")));
            let of_lists = if value.starts_with('[') { "[§[], []]" } else { "§[[], []]" };
            broken.push(instead("lists for a value", format!("{key} = {of_lists}")));
            broken.push(instead("an unknown key", format!("§{key}-x = {value}")));
        }
        if is_quantity(value) {
            let bad = ["\"5 parsecs\"", "\"-1s\"", "\"\"", "\"99999999999999999999h\"", "\"0.5.5s\"", "-7", "1e400"];
            broken.extend(bad.map(|bad| instead(&format!("{bad} for a quantity"), format!("{key} = §{bad}"))));
        }
        broken
    }

    fn broken_header(&self, at: usize, header: &str) -> Vec<Broken> {
        let inner = header.trim_matches(['[', ']']);
        let mut broken = vec![
            self.with("an open header", at, 1, &format!("[{inner}")),
            self.with("an empty name", at, 1, &format!("[{inner}.]")),
            self.with("something behind a header", at, 1, &format!("[{inner}] x")),
            self.with("a table twice", self.lines.len(), 0, &format!("[{inner}]")),
            self.with("a list of tables", at, 1, &format!("[[{inner}]]")),
        ];
        if inner.split('.').count() < 3 {
            broken.push(self.with("an unknown table", at, 0, &format!("[§{}x]\ny = 1", inner.replace('.', "x."))));
        }
        let required = |line: &&str| {
            ["component", "url", "address", "upstream"].iter().any(|key| line.split(" = ").next() == Some(key))
        };
        let of_table = self.lines[at + 1..].iter().take_while(|line| !line.starts_with('['));
        if let Some(down) = of_table.clone().position(|line| required(&line)) {
            let without: Vec<_> =
                of_table.enumerate().filter(|(index, _)| *index != down).map(|(_, line)| *line).collect();
            let length = without.len() + 1;
            let new = format!("§[{inner}]\n{}", without.join("\n"));
            broken.push(self.with("without what it needs", at, length + 1, &new));
        }
        broken
    }

    fn wrong_references(&self) -> Vec<Broken> {
        let mut broken = Vec::new();
        let mut wrong = |what: &str, line: &str, new: &str| {
            let at = self.lines.iter().position(|it| *it == line).unwrap_or_else(|| panic!("{line}"));
            broken.push(self.with(what, at, 1, new));
        };
        for name in ["pu", "UP", "up ", "", "keys", "up.x"] {
            wrong("an unknown upstream", "upstream = \"other\"", &format!("upstream = §\"{name}\""));
        }
        for name in ["kyes", "Keys", "up", "", "tag\\n"] {
            wrong("an unknown plugin", "[routes.free]", &format!("[routes.free]\nplugins = [\"tag\", §\"{name}\"]"));
        }
        wrong("a path", "path = \"/x\"", "path = §\"pets\"");
        wrong("a host", "host = \"*.example.com\"", "host = §\"*\"");
        for path in ["/a/{x}/§{x}", "/§{x+}/y", "/§%zz", "/a§ b", "/§{}", "/§{x", "/a/§/b", "/a/§../b"] {
            wrong("a path", "path = \"/x\"", &format!("path = \"{path}\""));
        }
        for method in ["get", "GE T", "", "CONNECT"] {
            wrong("a method", "methods = [\"GET\", \"PUT\"]", &format!("methods = [\"GET\", §\"{method}\"]"));
        }
        for host in ["*.§*.com", "a§ b", "a§:80", "§", "§http://a"] {
            wrong("a host", "host = \"*.example.com\"", &format!("host = \"{host}\""));
        }
        for url in ["§ftp://a", "http://§", "§a:80", "http://a§/b", "http://a:§99999", "http://§u@a"] {
            wrong("a URL", "url = \"http://localhost:3000\"", &format!("url = \"{url}\""));
        }
        for value in ["§${", "§${x}", "1 §${path.nope}", "§${nobody.x}", "§$5"] {
            wrong("a template", "x-pet = \"${path.id}\"", &format!("x-pet = \"{value}\""));
        }
        wrong("a template", "x-pet = \"${path.id}\"", "x-pet = §\"a\\r\\nb: c\"");
        for name in ["connection", "host", "content-length", "\"a b\"", "\"\"", "\"a:b\""] {
            wrong("a header's name", "x-pet = \"${path.id}\"", &format!("§{name} = \"1\""));
        }
        for address in ["127.0.0.1", "localhost", ":80", "127.0.0.1:99999", "1.2.3.4.5:80"] {
            wrong("an address", "address = \"127.0.0.1:0\"", &format!("address = \"{address}\""));
        }
        for origin in ["§issuer.example", "https://a§/b", "§ftp://a", "https://§*", "https://a.§*.b", "§"] {
            let line = "http = [\"https://issuer.example\", \"http://127.0.0.1:9000\"]";
            wrong("an origin", line, &format!("http = [\"https://a\", \"{origin}\"]"));
        }
        for network in ["10.0.0.0/33", "10.0.0/8", "::1/129", "", "a", "10.0.0.0/-1"] {
            let line = "trusted_proxies = [\"10.0.0.0/8\", \"::1\"]";
            wrong("a network", line, &format!("trusted_proxies = [\"::1\", §\"{network}\"]"));
        }
        for workers in ["0", "257", "-1", "1.5", "9223372036854775808", "\"1\""] {
            wrong("workers", "workers = 1", &format!("workers = §{workers}"));
        }
        wrong("other workers", "workers = 1", "workers = §3");
        wrong("another listener", "[listeners.web]", "[§listeners.web]\naddress = \"127.0.0.1:1\"\n[listeners.web2]");
        wrong("the same route", "[routes.free]", "[routes.y]\npath = \"/x\"\nupstream = \"up\"\n[routes.free]");
        wrong("a second default", "[routes.free]", "[routes.y]\nupstream = \"up\"\n[routes.§free]");
        wrong("its component is gone", "[plugins.tag]", "[plugins.gone]\ncomponent = §\"gone.wasm\"\n[plugins.tag]");
        wrong("its schema is gone", "[routes.free]", "[validators.gone]\nbody = §\"gone.json\"\n[routes.free]");
        let no_json =
            concat!("[validators.no-json]\nbody = §\"", env!("CARGO_MANIFEST_DIR"), "/Cargo.toml\"\n[routes.free]");
        wrong("its schema is no JSON", "[routes.free]", no_json);
        for name in ["order ", "Order", "", "up"] {
            wrong("an unknown validator", "validate = \"order\"", &format!("validate = §\"{name}\""));
        }
        for name in ["monthly ", "Monthly", "", "per-client"] {
            wrong("an unknown quota", "quotas = [\"monthly\"]", &format!("quotas = [§\"{name}\"]"));
        }
        wrong("its keys are gone", "[routes.free]", "[usage_plans.gone]\nkeys_file = §\"gone.keys\"\n[routes.free]");
        for url in ["http://a", "redis://", "redis://a:b", "redis://a/b", "redis://u@a", "a:6379"] {
            let line = "url = \"redis://:a-password@localhost:6379/1\"";
            wrong("a redis", line, &format!("url = §\"{url}\""));
        }
        for kind in ["json", "application/*", "/json", "a/b/c", ""] {
            let line = "content_types = [\"application/json\"]";
            wrong("a media type", line, &format!("content_types = [\"a/b\", §\"{kind}\"]"));
        }
        for name in ["page", "Pages", "", "up"] {
            wrong("an unknown cache", "cache = \"pages\"", &format!("cache = §\"{name}\""));
        }
        for part in ["query:a", "${request.id}", "${request.nope}", "accept", "header:", ""] {
            let line = "key = [\"header:accept-language\", \"cookie:theme\"]";
            let at = if part.contains("nope") { "\"§" } else { "§\"" };
            wrong("a part of a key", line, &format!("key = [\"header:a\", {at}{part}\"]"));
        }
        let private = "path = \"/x\"\ncache = §{ name = \"pages\", shared = false }";
        wrong("answers that may be private", "path = \"/x\"", private);
        for coding in ["deflate", "BR", "", "gzip"] {
            let line = "encodings = [\"br\", \"gzip\"]";
            wrong("a coding", line, &format!("encodings = [\"gzip\", §\"{coding}\"]"));
        }
        wrong("a plugin's configuration", "[plugins.keys.config]", "§[plugins.keys.config]\nauthorise = 1");
        broken
    }

    /// What is no text, or hardly any.
    fn without_text(&self) -> Vec<Broken> {
        let whole = self.lines.join("\n");
        let raw = |what: &str, text: Vec<u8>, place| Broken { what: what.to_owned(), text, place };
        let nowhere = |text: &str| Place::Text(text.to_owned());
        let mut broken = vec![
            raw("nothing", Vec::new(), nowhere("there are no listeners")),
            raw("a line feed", b"\n".to_vec(), Place::At { line: 1, column: Some(1) }),
            raw("zero bytes", vec![0; 4096], Place::At { line: 1, column: None }),
            raw(
                "UTF-16",
                whole.encode_utf16().flat_map(u16::to_le_bytes).collect(),
                Place::At { line: 1, column: None },
            ),
            raw("something compressed", b"\x1f\x8b\x08\x00\xff\xff".to_vec(), nowhere("line 1 is not UTF-8 text")),
            raw(
                "a long line of nothing",
                [b"a".repeat(4 << 20), whole.clone().into()].concat(),
                Place::At { line: 1, column: None },
            ),
            raw(
                "a long key",
                format!("{} = 1\n{whole}", "k".repeat(1 << 20)).into(),
                Place::At { line: 1, column: Some(1) },
            ),
        ];
        for depth in [100, 10_000, 1_000_000] {
            let list = format!("x = {}{}\n{whole}", "[".repeat(depth), "]".repeat(depth));
            let table = format!("x = {}1{}\n{whole}", "{a=".repeat(depth), "}".repeat(depth));
            let dotted = format!("x{} = 1\n{whole}", ".a".repeat(depth));
            for text in [list, table, dotted] {
                broken.push(raw(&format!("{depth} deep"), text.into(), Place::At { line: 1, column: None }));
            }
        }
        for at in (0..self.lines.len()).step_by(9) {
            let mut lines: Vec<Vec<u8>> = self.lines.iter().map(|line| line.as_bytes().to_vec()).collect();
            lines[at].extend([b'#', 0xc3, 0x28]);
            let place = nowhere(&format!("line {} is not UTF-8 text", at + 1));
            broken.push(raw(&format!("no UTF-8 in line {}", at + 1), lines.join(&b'\n'), place));
        }
        broken
    }
}

/// A number, perhaps with a unit.
fn is_quantity(value: &str) -> bool {
    let text = value.trim_matches('"');
    text.starts_with(|first: char| first.is_ascii_digit())
        && text.ends_with(|last: char| last.is_ascii_digit() || matches!(last, 's' | 'm' | 'h' | 'B'))
        && !text.contains(['.', '/'])
}
