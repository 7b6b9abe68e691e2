import { recordAudit } from "../audit.ts";
import { SUPERVISORS } from "../auth/access.ts";
import { callerOf } from "../auth/caller.ts";
import { RescoreBody, RescoreReport } from "../schemas/rescore.ts";
import type { ApiRoutes } from "../server.ts";

/** Stored calls under other rules, without listening again. */
export const rescoreRoutes: ApiRoutes = (app, { models, rescore }) => {
  app.post(
    "/api/rescore",
    {
      config: { access: { roles: SUPERVISORS } },
      schema: {
        summary: "Judge stored calls by the rules and the form in force, or say what would change",
        tags: ["rules"],
        body: RescoreBody,
        response: { 200: RescoreReport },
      },
    },
    async (request, reply) => {
      const { rules, form, dryRun = false } = request.body;
      const { user } = callerOf(request);
      // The archive of a year takes longer than a line may be silent elsewhere.
      request.raw.socket.setTimeout(0);
      // Who hangs up wants no answer; what was judged again until then stays, and the next time goes on from there.
      const gone = new AbortController();
      reply.raw.once("close", () => {
        if (!reply.raw.writableFinished) gone.abort();
      });
      if (!dryRun) await recordAudit(models, request, "rescored", null, { rules: rules?.join(" ") ?? null, form: form ?? null });
      const report = await rescore(
        { tenant: user.tenant, by: user.id, dryRun, ...(rules && { rules }), ...(form !== undefined && { form }) },
        gone.signal,
      );
      const { scores, rules: ofRules, bands, examples } = report;
      return { ...report, scores: { ...scores }, rules: [...ofRules], bands: [...bands], examples: [...examples] };
    },
  );
};
