import type { ApiRoutes } from "../server.ts";
import { audioRoutes } from "./audio.ts";
import { auditRoutes } from "./audit.ts";
import { authRoutes } from "./auth.ts";
import { callRoutes } from "./calls.ts";
import { docsRoutes } from "./docs.ts";
import { eventRoutes } from "./events.ts";
import { healthRoutes } from "./health.ts";
import { metricsRoutes } from "./metrics.ts";
import { tokenRoutes } from "./tokens.ts";
import { userRoutes } from "./users.ts";

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
  eventRoutes,
  metricsRoutes,
];
