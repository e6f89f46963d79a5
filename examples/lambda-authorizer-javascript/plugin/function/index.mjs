// A Lambda authorizer function as it is written for API Gateway: nothing in it knows of Gatehouse.

const keys = new Map(Object.entries(JSON.parse(process.env.KEYS)));

export const handler = async (event) => {
  const token = event.authorizationToken.replace(/^Bearer /, "");
  const user = keys.get(token);
  if (!user) throw new Error("Unauthorized");
  // To change orders one needs the paid plan.
  const methods = user.plan === "gold" ? "*" : "GET";
  return {
    principalId: user.name,
    policyDocument: {
      Version: "2012-10-17",
      Statement: [
        {
          Action: "execute-api:Invoke",
          Effect: "Allow",
          Resource: event.methodArn.replace(/\/[A-Z]+\/.*$/, `/${methods}/orders/*`),
        },
      ],
    },
    context: { plan: user.plan },
  };
};
