"""The outcomes that AWS documents for Lambda authorizers, as tests of the adapter."""

import json
import tempfile
import types
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gatehouse import Allow, ConfigError, Deny, Verdict, test
from gatehouse.aws import adapter, lambda_authorizer

ARN = "arn:aws:execute-api:local:000000000000:gatehouse/$default"
WORDS = "User is not authorized to access this resource"
TOKEN: Any = {"config": {"type": "TOKEN"}, "headers": {"authorization": "t1"}}


def policy(effect: Any, resource: Any, **more: Any) -> dict[str, Any]:
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource}
    return {"principalId": "alice", "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}, **more}


def plugin(made: type) -> types.ModuleType:
    module = types.ModuleType("plugin")
    setattr(module, "Plugin", made)
    return module


def ask(
    handler: Callable[[Any, Any], Any], config: Any = None, target: str = "/pets/7", method: str = "GET", **more: Any
) -> tuple[Verdict, list[str]]:
    """The verdict on a request, and what it depends on."""
    started = test.start(plugin(adapter(lambda: handler)), config)
    exchange = test.Exchange(method, target, **more)
    return exchange.authorize(started), exchange.reads


def never(event: Any, context: Any) -> None:
    raise AssertionError("it was asked")


def raising(error: BaseException) -> Callable[[Any, Any], Any]:
    def handler(event: Any, context: Any) -> Any:
        raise error

    return handler


UNAUTHORIZED = Deny(401, json={"message": "Unauthorized"}, max_age=0)


class Outcomes(unittest.TestCase):
    def test_the_event_of_a_token_authorizer_and_nothing_else_is_read(self) -> None:
        seen: list[Any] = []

        def handler(event: Any, context: Any) -> Any:
            seen.append(dict(event))
            return policy("Allow", "*")

        _, reads = ask(handler, **TOKEN)
        self.assertEqual(seen, [{"type": "TOKEN", "authorizationToken": "t1", "methodArn": f"{ARN}/GET/pets/7"}])
        self.assertEqual(reads, ["header:authorization", "method", "path"])
        effect = {"t1": "Allow"}
        verdict, reads = ask(lambda event, _: policy(effect.get(event["authorizationToken"], "Deny"), "*"), **TOKEN)
        self.assertIsInstance(verdict, Allow)
        self.assertEqual(reads, ["header:authorization"])

    def test_without_an_identity_or_one_that_does_not_match_401_and_the_function_is_not_asked(self) -> None:
        self.assertEqual(ask(never, {"type": "TOKEN"}), (UNAUTHORIZED, ["header:authorization"]))
        config = {"type": "TOKEN", "identity_validation": "Bearer [a-z]+"}
        for token in ["Bearer 1", "x Bearer a", "Bearer a1"]:
            self.assertEqual(ask(never, config, headers={"authorization": token})[0], UNAUTHORIZED, token)
        for source in [
            "method.request.header.Auth",
            "$request.querystring.q",
            "stageVariables.x",
            "context.identity.apiKey",
            "context.none.at.all",
        ]:
            self.assertEqual(ask(never, {"identity_sources": [source]})[0], UNAUTHORIZED, source)

    def test_allow_lets_pass_with_the_principal_and_the_context_as_text(self) -> None:
        context = {"plan": "gold", "limit": 7, "admin": True}
        verdict, _ = ask(lambda event, _: policy("Allow", "*", context=context, usageIdentifierKey="k"))
        attributes = {"plan": "gold", "limit": "7", "admin": "true", "usageIdentifierKey": "k"}
        self.assertEqual(verdict, Allow("alice", attributes=attributes, max_age=300))

    def test_deny_and_no_statement_about_the_request_are_403(self) -> None:
        denied = Deny(403, json={"Message": f"{WORDS} with an explicit deny"}, max_age=300)
        self.assertEqual(ask(lambda event, _: policy("Deny", "*"))[0], denied)
        implied = Deny(403, json={"Message": WORDS}, max_age=300)
        self.assertEqual(ask(lambda event, _: policy("Allow", f"{ARN}/GET/users/*"))[0], implied)

    def test_a_statement_that_denies_counts_more_than_one_that_allows(self) -> None:
        result = policy("Allow", "*")
        denies = {"Action": "execute-api:*", "Effect": "Deny", "Resource": [f"{ARN}/*/pets/*"]}
        result["policyDocument"]["Statement"].append(denies)
        self.assertIsInstance(ask(lambda event, _: result)[0], Deny)
        self.assertIsInstance(ask(lambda event, _: result, target="/users")[0], Allow)

    def test_resources_are_compared_with_the_method_s_arn_and_it_is_read_only_where_that_matters(self) -> None:
        def reads(resource: Any) -> list[str]:
            verdict, reads = ask(lambda event, _: policy("Allow", resource))
            return [type(verdict).__name__, *reads]

        everything = ["*", f"{ARN}/*", "arn:aws:execute-api:*", "arn:aws:execute-api:*:*:gatehouse/*", "*:gatehouse/?default/*"]
        for resource in everything:
            self.assertEqual(reads(resource), ["Allow"], resource)
        for one in [f"{ARN}/GET/pets/*", f"{ARN}/*/pets/7", f"{ARN}/???/pets/?", ["arn:x", f"{ARN}/GET/*"]]:
            self.assertEqual(reads(one), ["Allow", "method", "path"], one)
        for other in [f"{ARN}/POST/*", f"{ARN}/GET/pets", "arn:aws:execute-api:eu-west-1:*", "", f"{ARN}/GET/pets/[7]"]:
            self.assertEqual(reads(other)[0], "Deny", other)

    def test_unauthorized_is_401_and_not_kept_and_another_error_is_a_fault(self) -> None:
        self.assertEqual(ask(raising(Exception("Unauthorized")))[0], UNAUTHORIZED)
        self.assertEqual(ask(raising(ValueError("Unauthorized")))[0], UNAUTHORIZED)
        self.assertRaisesRegex(Exception, "Unauthorized token", ask, raising(Exception("Unauthorized token")))
        self.assertRaises(KeyError, ask, raising(KeyError("no database")))

    def test_a_result_that_is_none_is_a_fault(self) -> None:
        right = policy("Allow", "*")
        (statement,) = right["policyDocument"]["Statement"]

        def changed(**change: Any) -> dict[str, Any]:
            return {**right, "policyDocument": {"Statement": [{**statement, **change}]}}

        for result, message in [
            (None, "the function returned no dictionary"),
            ("Allow", "the function returned no dictionary"),
            ({"policyDocument": right["policyDocument"]}, "the function's `principalId` is no string"),
            ({"principalId": "alice"}, "the function's `policyDocument` has no `Statement`"),
            ({**right, "policyDocument": "{}"}, "the function's `policyDocument` has no `Statement`"),
            (changed(Effect="allow"), "a statement's `Effect` is neither Allow nor Deny"),
            (changed(Resource=None), "a statement's `Resource` is no text of at most 512 characters"),
            (changed(Resource="a" * 513), "a statement's `Resource` is no text of at most 512 characters"),
            (changed(Condition={}), "a statement has `Condition`, which is not supported"),
            ({**right, "context": {"a": {}}}, "the function's `context.a` is neither a string, a number, true nor false"),
            ({**right, "context": {"a": None}}, "the function's `context.a` is neither a string, a number, true nor false"),
            ({**right, "context": []}, "the function's `context` is no dictionary"),
            ({"isAuthorized": True}, "the function's `principalId` is no string"),
        ]:
            with self.assertRaises(TypeError) as raised:
                ask(lambda event, _: result)
            self.assertEqual(str(raised.exception), message)

    def test_version_2_0_the_event_of_an_http_api_and_the_simple_response(self) -> None:
        config = {"payload": "2.0", "identity_sources": ["$request.header.Authorization", "$context.http.sourceIp"]}
        request: Any = {
            "config": config,
            "headers": [("authorization", "t"), ("cookie", "a=1; b=2"), ("x", "1"), ("x", "2")],
            "client_ip": "192.0.2.7",
        }

        def handler(event: Any, context: Any) -> Any:
            self.assertEqual((event["version"], event["routeKey"], event["rawPath"]), ("2.0", "pets", "/pets/7"))
            self.assertEqual((event["rawQueryString"], event["queryStringParameters"]), ("a=1&a=2", {"a": "1,2"}))
            self.assertEqual((event["identitySource"], event["cookies"]), (["t", "192.0.2.7"], ["a=1", "b=2"]))
            self.assertEqual(event["headers"]["x"], "1,2")
            http = event["requestContext"]["http"]
            self.assertEqual((http["method"], http["sourceIp"]), ("GET", "192.0.2.7"))
            return {"isAuthorized": True, "context": {"list": [1, 2], "name": "n", "no": None}}

        verdict, _ = ask(handler, target="/pets/7?a=1&a=2", route="pets", **request)
        self.assertEqual(verdict, Allow(attributes={"list": "[1,2]", "name": "n", "no": "null"}, max_age=0))
        refused = Deny(403, json={"message": "Forbidden"}, max_age=0)
        self.assertEqual(ask(lambda event, _: {"isAuthorized": False}, **request)[0], refused)
        self.assertIsInstance(ask(lambda event, _: policy("Allow", "*"), **request)[0], Allow)
        message = "the function's `isAuthorized` is neither true nor false"
        self.assertRaisesRegex(TypeError, message, ask, lambda event, _: {"isAuthorized": "true"}, **request)

    def test_a_configuration_that_aws_would_not_take_is_refused(self) -> None:
        for config, message in [
            ({"ttl": 3601}, "`ttl` is a number of seconds from 0 to 3600"),
            ({"type": "JWT"}, "`type` is one of 'REQUEST', 'TOKEN'"),
            ({"type": "TOKEN", "payload": "2.0"}, "`payload` is 2.0"),
            ({"type": "TOKEN", "identity_sources": []}, "one header"),
            ({"identity_sources": ["request.body"]}, "request.body is no source"),
            ({"identity_validation": "("}, "no regular expression"),
            ({"Type": "TOKEN"}, "there is no `Type`"),
        ]:
            self.assertRaisesRegex(ConfigError, message, ask, never, config)


class Events(unittest.TestCase):
    def test_the_event_of_a_request_authorizer_of_a_rest_api(self) -> None:
        config = {"stage": "prod", "stage_variables": {"v": "1"}, "account_id": "123456789012", "api_id": "abc"}

        def handler(event: Any, context: Any) -> Any:
            facts = (event["type"], event["httpMethod"], event["path"], event["resource"])
            self.assertEqual(facts, ("REQUEST", "GET", "/pets/7", "pets"))
            self.assertEqual(event["methodArn"], "arn:aws:execute-api:local:123456789012:abc/prod/GET/pets/7")
            headers = event["headers"]
            self.assertEqual((headers["X-Two"], headers["x-two"], headers.get("none")), ("2", "2", None))
            self.assertEqual(("X-TWO" in headers, "none" in headers, bool(headers)), (True, False, True))
            self.assertRaises(KeyError, lambda: headers["none"])
            self.assertEqual(event["multiValueHeaders"]["X-Two"], ["1", "2"])
            self.assertEqual(event["queryStringParameters"], {"a": "2", "b": " "})
            self.assertEqual(event["multiValueQueryStringParameters"], {"a": ["1", "2"], "b": [" "]})
            self.assertEqual((event["pathParameters"]["id"], event["stageVariables"]), ("7", {"v": "1"}))
            about = event["requestContext"]
            self.assertEqual((about["accountId"], about["apiId"], about["stage"]), ("123456789012", "abc", "prod"))
            self.assertEqual(about["identity"], {"sourceIp": "192.0.2.7", "userAgent": "u", "apiKey": None})
            self.assertEqual((context.function_name, context.aws_request_id), ("authorizer", "0123456789abcdef"))
            return policy("Allow", "*")

        verdict, _ = ask(
            handler,
            config,
            "/pets/7?a=1&a=2&b=%20",
            headers=[("Host", "a"), ("X-Two", "1"), ("X-Two", "2"), ("User-Agent", "u")],
            client_ip="192.0.2.7",
            path_params={"id": "7"},
            route="pets",
        )
        self.assertIsInstance(verdict, Allow)

    def test_only_what_a_function_looks_at_is_part_of_the_key(self) -> None:
        def handler(event: Any, context: Any) -> Any:
            token = event["headers"].get("Authorization")
            return policy("Allow" if token else "Deny", "*", context={"method": event["httpMethod"]})

        verdict, reads = ask(handler, headers={"authorization": "t", "other": "1"})
        self.assertIsInstance(verdict, Allow)
        self.assertEqual(reads, ["header-values:authorization", "method"])

    def test_an_event_is_a_dictionary_as_functions_know_it(self) -> None:
        def handler(event: Any, context: Any) -> Any:
            whole = json.loads(json.dumps(event))
            self.assertEqual((whole["headers"], whole["httpMethod"]), ({"host": "a", "x": "1"}, "GET"))
            self.assertEqual(json.loads(json.dumps(event["headers"])), whole["headers"])
            self.assertEqual({**event["headers"]}, whole["headers"])
            self.assertEqual(dict(event)["path"], "/pets/7")
            self.assertEqual((event | {"path": "/"})["path"], "/")
            self.assertIn("'httpMethod': 'GET'", str(event))
            self.assertIsInstance(event, dict)
            self.assertEqual((event.get("none"), event.get("none", 1), "none" in event), (None, 1, False))
            event["own"] = event.setdefault("more", 1)
            del event["headers"]
            self.assertEqual((event.pop("own"), "headers" in event), (1, False))
            self.assertEqual(len(event), len(list(event)))
            return policy("Allow", "*")

        self.assertIsInstance(ask(handler, headers={"Host": "a", "X": "1"})[0], Allow)


class Loading(unittest.TestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def write(self, **modules: str) -> None:
        for name, text in modules.items():
            (self.folder / f"{name}.py").write_text(text)

    def test_modules_run_when_an_instance_starts_with_the_environment_that_is_configured(self) -> None:
        self.write(
            index="import os\nimport helper\nKEY = os.environ['GATE_KEY']\n\ndef check(event, context):\n    return helper.say(KEY)\n",
            helper="try:\n    import not_there\nexcept ImportError:\n    pass\n\n"
            "def say(key):\n    return {'isAuthorized': key == 'k1'}\n",
        )
        made = plugin(lambda_authorizer(self.folder, "index.check"))
        for key, kind in [("k1", Allow), ("k2", Deny)]:
            started = test.start(made, {"payload": "2.0", "environment": {"GATE_KEY": key}})
            self.assertIsInstance(test.Exchange().authorize(started), kind)

    def test_a_function_that_is_not_there_is_told(self) -> None:
        self.write(index="def other(event, context):\n    pass\n")
        self.assertRaisesRegex(ImportError, "there is no module main in", lambda_authorizer, self.folder, "main.handler")
        self.assertRaisesRegex(ValueError, "MODULE.FUNCTION", lambda_authorizer, self.folder, "handler")
        made = plugin(lambda_authorizer(self.folder, "index.handler"))
        self.assertRaisesRegex(ValueError, "index has no function handler", test.start, made)
