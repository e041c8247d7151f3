import { approvalRoutes } from "./approval-routes.ts";
import { callRoutes } from "./call-routes.ts";
import { deadLetterRoutes } from "./dead-letter-routes.ts";
import { deferralRoutes } from "./deferral-routes.ts";
import { groupRoutes } from "./group-routes.ts";
import { healthRoutes } from "./health-routes.ts";
import { ledgerRoutes } from "./ledger-routes.ts";
import { operatorRoutes } from "./operator-routes.ts";
import { planRoutes } from "./plan-routes.ts";
import { readOnlyRoutes } from "./read-only-routes.ts";
import { sessionRoutes } from "./session-routes.ts";
import type { Route } from "./route.ts";
import { serviceRoutes } from "./service-routes.ts";
import { sourceRoutes } from "./source-routes.ts";

/** Every route of the gateway. Nothing is served that is not in this table. */
export const routes: readonly Route[] = [
  ...callRoutes,
  ...sessionRoutes,
  ...deadLetterRoutes,
  ...deferralRoutes,
  ...approvalRoutes,
  ...groupRoutes,
  ...planRoutes,
  ...operatorRoutes,
  ...readOnlyRoutes,
  ...ledgerRoutes,
  ...sourceRoutes,
  ...healthRoutes,
  ...serviceRoutes,
];
