// Asks the function in function/, as API Gateway would.

import { lambdaAuthorizer } from "@gatehouse/plugin/lambda";

export const { init, authorize } = lambdaAuthorizer(() => import("./function/index.mjs"));
