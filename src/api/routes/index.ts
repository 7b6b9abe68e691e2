import type { ApiRoutes } from "../server.ts";
import { audioRoutes } from "./audio.ts";
import { auditRoutes } from "./audit.ts";
import { authRoutes } from "./auth.ts";
import { callRecordRoutes } from "./call-records.ts";
import { callRoutes } from "./calls.ts";
import { coverageRoutes } from "./coverage.ts";
import { docsRoutes } from "./docs.ts";
import { eventRoutes } from "./events.ts";
import { exportRoutes } from "./exports.ts";
import { formRoutes } from "./forms.ts";
import { healthRoutes } from "./health.ts";
import { metricsRoutes } from "./metrics.ts";
import { queueRoutes } from "./queue.ts";
import { rescoreRoutes } from "./rescore.ts";
import { reviewRoutes } from "./review.ts";
import { ruleRoutes } from "./rules.ts";
import { searchRoutes } from "./search.ts";
import { settingsRoutes } from "./settings.ts";
import { tokenRoutes } from "./tokens.ts";
import { userRoutes } from "./users.ts";
import { webhookRoutes } from "./webhooks.ts";

/** Every resource; each file registers its own routes. */
export const ROUTES: readonly ApiRoutes[] = [
  healthRoutes,
  docsRoutes,
  authRoutes,
  tokenRoutes,
  userRoutes,
  auditRoutes,
  callRoutes,
  audioRoutes,
  reviewRoutes,
  queueRoutes,
  searchRoutes,
  callRecordRoutes,
  coverageRoutes,
  ruleRoutes,
  formRoutes,
  rescoreRoutes,
  exportRoutes,
  settingsRoutes,
  webhookRoutes,
  eventRoutes,
  metricsRoutes,
];
