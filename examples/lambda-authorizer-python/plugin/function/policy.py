def allow(method_arn, methods, path):
    """A policy that allows methods below a path of the API and stage that were asked for."""
    api, stage, *_ = method_arn.split("/")
    resource = f"{api}/{stage}/{methods}/{path}"
    return {
        "Version": "2012-10-17",
        "Statement": [{"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": resource}],
    }
