import { FIGURE_READERS } from "../auth/access.ts";
import { callerOf } from "../auth/caller.ts";
import { coverageRange } from "../coverage-range.ts";
import { page } from "../schemas/common.ts";
import { CoverageDay, CoverageQuery, coverageDay } from "../schemas/coverage.ts";
import type { ApiRoutes } from "../server.ts";

/** The ledger: what should have arrived, and what became of it. */
export const coverageRoutes: ApiRoutes = (app, { models, config }) => {
  app.get(
    "/api/coverage",
    {
      config: { access: { roles: FIGURE_READERS } },
      schema: {
        summary: "Day by day: calls expected, received, screened, missing",
        tags: ["coverage"],
        querystring: CoverageQuery,
        response: { 200: page(CoverageDay) },
      },
    },
    async (request) => {
      const { from, to } = coverageRange(request.query, config.timeZone);
      const days = await models.callRecords.coverage(callerOf(request).user.tenant, from, to, config.timeZone);
      return { items: days.map(coverageDay), nextCursor: null };
    },
  );
};
