import type { ApiRoutes } from "../server.ts";
import { authRoutes } from "./auth.ts";
import { docsRoutes } from "./docs.ts";
import { healthRoutes } from "./health.ts";

/** Every resource; each file registers its own routes. */
export const ROUTES: readonly ApiRoutes[] = [healthRoutes, docsRoutes, authRoutes];
