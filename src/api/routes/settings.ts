import type { Settings as SavedSettings } from "../../models/settings.ts";
import { CallsiftError } from "../../pipeline/errors.ts";
import { recordAudit } from "../audit.ts";
import { SUPERVISORS } from "../auth/access.ts";
import { callerOf } from "../auth/caller.ts";
import { Settings, SettingsChange, shownSettings } from "../schemas/settings.ts";
import type { ApiRoutes } from "../server.ts";
import { invalidAt } from "../validate.ts";

/** What is set while the service runs. */
export const settingsRoutes: ApiRoutes = (app, { models, schedule }) => {
  app.get(
    "/api/settings",
    {
      config: { access: { roles: SUPERVISORS } },
      schema: { summary: "What is set while the service runs", tags: ["settings"], response: { 200: Settings } },
    },
    async () => shownSettings(await models.settings.get()),
  );

  app.patch(
    "/api/settings",
    {
      config: { access: { roles: SUPERVISORS } },
      schema: { summary: "Change settings", tags: ["settings"], body: SettingsChange, response: { 200: Settings } },
    },
    async (request) => {
      const { activeForm, sampleShare, retention, paused } = request.body;
      // What deletes recordings is for whoever answers for them.
      if (retention && callerOf(request).role !== "admin")
        throw new CallsiftError("auth/forbidden", "expected an administrator to change how long recordings are kept");
      if (activeForm !== undefined && (await models.policies.forms({ id: activeForm, limit: 1 })).items.length === 0)
        throw invalidAt("body/activeForm", "expected the id of a form that is there");
      const before = await models.settings.get();
      const change: Partial<SavedSettings> = {
        ...(activeForm !== undefined && { activeForm }),
        ...(sampleShare !== undefined && { sampleShare }),
        ...(retention && { retention: { ...before.retention, ...retention } }),
        ...(paused !== undefined && { paused }),
      };
      const after = await models.settings.change(change);
      if (paused !== undefined) await (paused ? schedule.pause() : schedule.resume());
      await recordAudit(models, request, "settings-changed", null, { change: JSON.stringify(change) });
      return shownSettings(after);
    },
  );
};
