"""A Lambda authorizer function as it is written for API Gateway: nothing in it knows of Gatehouse."""

import json
import os

from policy import allow

KEYS = json.loads(os.environ["KEYS"])


def lambda_handler(event, context):
    token = event["authorizationToken"].removeprefix("Bearer ")
    user = KEYS.get(token)
    if user is None:
        raise Exception("Unauthorized")
    # To change orders one needs the paid plan.
    methods = "*" if user["plan"] == "gold" else "GET"
    return {
        "principalId": user["name"],
        "policyDocument": allow(event["methodArn"], methods, "orders/*"),
        "context": {"plan": user["plan"]},
    }
