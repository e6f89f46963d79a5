"""Asks the function in function/, as API Gateway would."""

from pathlib import Path

from gatehouse.aws import lambda_authorizer

Plugin = lambda_authorizer(Path(__file__).parent / "function", "lambda_function.lambda_handler")
