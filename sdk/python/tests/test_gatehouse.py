"""The SDK itself, with its doubles."""

import logging
import types
import unittest
from dataclasses import dataclass, field
from typing import Any, Literal

from gatehouse import Allow, Config, ConfigError, Deny, Reply, RequestEdit, StoreError, _forms, _plugin, http
from gatehouse import open_bucket, same_secret, test, write_line


def module(**members: Any) -> types.ModuleType:
    made = types.ModuleType("plugin")
    for name, member in members.items():
        if callable(member):
            member.__module__ = "plugin"
        setattr(made, name, member)
    return made


class Reads(unittest.TestCase):
    def test_each_read_is_noted(self) -> None:
        exchange = test.Exchange("GET", "/a?x=1&x=2&y=%20", {"Authorization": "Bearer t", "cookie": "a=1; b=2"})
        with exchange.running() as request:
            self.assertEqual((request.method, request.path, request.query), ("GET", "/a", "x=1&x=2&y=%20"))
            self.assertEqual((request.query_param("y"), request.query_params("x")), (" ", ["1", "2"]))
            self.assertEqual((request.bearer(), request.cookie("b"), request.header("none")), ("t", "2", None))
        noted = ["cookie:b", "header:authorization", "header:none", "method", "path", "query", "query-param:y"]
        self.assertEqual(exchange.reads, [*noted, "query-params:x"])

    def test_only_a_bearer_s_token_is_one(self) -> None:
        for value, token in [("bearer  t ", "t"), ("Basic t", None), ("Bearer", None), ("Bearer ", None)]:
            with test.Exchange(headers={"authorization": value}).running() as request:
                self.assertEqual(request.bearer(), token, value)

    def test_values_of_one_name_are_joined(self) -> None:
        with test.Exchange(headers={"x": ["1", "2"]}).running() as request:
            self.assertEqual((request.header("X"), request.header_values("x")), ("1, 2", ["1", "2"]))

    def test_outside_of_an_exchange_there_is_nothing_to_read(self) -> None:
        from gatehouse import Request

        self.assertRaisesRegex(RuntimeError, "outside of a hook", lambda: Request().method)


class Secrets(unittest.TestCase):
    def test_what_is_empty_or_absent_is_no_secret(self) -> None:
        self.assertTrue(same_secret("k", "k"))
        for pair in [("k", "l"), ("", ""), (None, None), ("k", None), (None, "k"), ("é", "e")]:
            self.assertFalse(same_secret(*pair), pair)


class Configuration(unittest.TestCase):
    def test_a_dataclass_is_made_strictly(self) -> None:
        @dataclass
        class Inner:
            name: str

        @dataclass
        class Settings:
            keys: dict[str, Inner]
            mode: Literal["a", "b"] = "a"
            limit: float | None = None
            tags: list[str] = field(default_factory=list)

        # Annotations of local classes are looked up among the module's names.
        globals()["Inner"] = Inner
        right = Config(keys={"k": {"name": "n"}}, limit=2)
        self.assertEqual(right.read(Settings), Settings({"k": Inner("n")}, limit=2.0))
        for wrong, says in [
            ({}, "`keys` is missing"),
            ({"keys": {}, "other": 1}, "there is no `other`"),
            ({"keys": {"k": {}}}, "`keys.k.name` is missing: it is a string"),
            ({"keys": {"k": {"name": 1}}}, "`keys.k.name` is a string"),
            ({"keys": {}, "mode": "c"}, "`mode` is one of 'a', 'b'"),
            ({"keys": {}, "limit": "1"}, "`limit` is a number"),
            ({"keys": {}, "limit": True}, "`limit` is a number"),
            ({"keys": {}, "tags": [1]}, r"`tags\[0\]` is a string"),
        ]:
            with self.assertRaisesRegex(ConfigError, says):
                Config(wrong).read(Settings)

    def test_a_module_without_init_takes_no_configuration(self) -> None:
        plugin = module(authorize=lambda request: Allow())
        self.assertIs(test.start(plugin), plugin)
        self.assertRaisesRegex(ValueError, "takes no configuration", test.start, plugin, {"key": 1})


class Hooks(unittest.TestCase):
    def test_the_module_has_the_hooks_that_are_listed_and_no_others(self) -> None:
        plugin = module(authorize=lambda request: Allow())
        _plugin.check(plugin, ["authorizer"])
        self.assertRaisesRegex(AttributeError, "has no `log`", _plugin.check, plugin, ["authorizer", "logger"])
        self.assertRaisesRegex(AttributeError, "does not list the hook authorizer", _plugin.check, plugin, [])

    def test_a_body_that_is_not_wanted_is_not_handed_over(self) -> None:
        plugin = module(request_body_limit=lambda request: None, on_request_body=lambda request, body: Reply(400))
        self.assertIsNone(test.Exchange().on_request_body(plugin, "x"))


class Forms(unittest.TestCase):
    def test_headers_are_pairs_in_the_end(self) -> None:
        self.assertEqual(_forms.fields({"a": "1", "b": ["2", "3"]}), [("a", "1"), ("b", "2"), ("b", "3")])
        self.assertEqual(_forms.fields([("a", "1"), ("a", "2")]), [("a", "1"), ("a", "2")])
        self.assertEqual(_forms.names("x-gone"), ["x-gone"])

    def test_what_is_not_of_the_contract_s_type_is_a_fault(self) -> None:
        for wrong in (lambda: _forms.text(1), lambda: _forms.fields({"a": 1}), lambda: _forms.body_bytes(1)):
            self.assertRaises(TypeError, wrong)
        for status in (-1, 1 << 16, "200", 1.5):
            self.assertRaises(ValueError, _forms.number, status, 16)
        self.assertRaises(UnicodeEncodeError, _forms.text, "\ud800")

    def test_json_has_its_content_type_unless_there_is_one(self) -> None:
        self.assertEqual(_forms.to_json([], b"", {"a": "é"}), ([("content-type", "application/json")], '{"a":"é"}'.encode()))
        own = [("Content-Type", "application/problem+json")]
        self.assertEqual(_forms.to_json(own, b"", 1), (own, b"1"))

    def test_equal_verdicts_are_equal(self) -> None:
        self.assertEqual(Allow("a", attributes={"p": "1"}), Allow("a", attributes={"p": "1"}))
        self.assertNotEqual(Deny(403), Deny(401))
        self.assertNotEqual(RequestEdit(path="/a"), RequestEdit(path="/b"))


class Gateway(unittest.TestCase):
    def test_records_are_lines_and_lines_are_written(self) -> None:
        gateway = test.Gateway()
        with test.Exchange(gateway=gateway).running():
            logging.getLogger("x").warning("%s of %s", 1, 2)
            logging.debug("more")
            self.assertTrue(write_line("a line"))
        self.assertEqual((gateway.log, gateway.output), (["warn: 1 of 2", "debug: more"], ["a line"]))

    def test_state_is_the_gateway_s(self) -> None:
        gateway = test.Gateway(buckets={"counters": {"k": b"41", "t": b"text"}})
        with test.Exchange(gateway=gateway).running():
            bucket = open_bucket("counters")
            self.assertEqual((bucket.increment("k"), bucket.increment("new", 2)), (42, 2))
            self.assertRaises(StoreError, bucket.increment, "t")
            bucket.set("a", "1")
            bucket.delete("t")
            self.assertEqual((bucket.exists("t"), bucket.get("a"), sorted(bucket.keys())), (False, b"1", ["a", "k", "new"]))

    def test_requests_are_answered_by_the_test(self) -> None:
        gateway = test.Gateway(server=lambda request: http.Answer(200, [("X-Two", "1"), ("x-two", "2")], request.body))
        with test.Exchange(gateway=gateway).running():
            answer = http.post("https://a.example/x?y=1", json={"a": 1})
            self.assertEqual((answer.header("x-two"), answer.json()), ("1, 2", {"a": 1}))
        self.assertEqual(gateway.sent, ["POST https://a.example/x?y=1"])
        with test.Exchange().running():
            self.assertRaisesRegex(http.Error, "nothing answers", http.get, "https://a.example/")


if __name__ == "__main__":
    unittest.main()
