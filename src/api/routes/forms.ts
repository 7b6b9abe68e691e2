import { checkForm } from "../../pipeline/scoring/parse.ts";
import { recordAudit } from "../audit.ts";
import { EVERYONE, SUPERVISORS } from "../auth/access.ts";
import { callerOf } from "../auth/caller.ts";
import { DATA_TYPES, parseYamlBodies } from "../policies/yaml-bodies.ts";
import { page } from "../schemas/common.ts";
import { FormBody, FormVersion, formVersion, VersionsQuery } from "../schemas/policies.ts";
import type { ApiRoutes } from "../server.ts";

/** Scoring forms by version; one that was ever added never changes. */
export const formRoutes: ApiRoutes = (app, { models }) => {
  parseYamlBodies(app, "form/invalid");

  app.get(
    "/api/forms",
    {
      config: { access: { roles: EVERYONE } },
      schema: {
        summary: "Forms in force, or all versions of one",
        tags: ["forms"],
        querystring: VersionsQuery,
        response: { 200: page(FormVersion) },
      },
    },
    async (request) => {
      const { id, limit = 50, cursor } = request.query;
      const owner = callerOf(request).user.id;
      const found = await models.policies.forms({ limit, owner, ...(id !== undefined && { id }), ...(cursor !== undefined && { cursor }) });
      return { items: found.items.map(formVersion), nextCursor: found.nextCursor };
    },
  );

  app.post(
    "/api/forms",
    {
      config: { access: { roles: SUPERVISORS } },
      schema: {
        summary: "Add a version of a form, bound to rules that are there",
        tags: ["forms"],
        consumes: [...DATA_TYPES],
        body: FormBody,
        response: { 201: FormVersion },
      },
    },
    async (request, reply) => {
      const ruleIds = await knownRules();
      const form = checkForm({ schema: "callsift.form/1", ...request.body, version: 1 }, "body", { ruleIds });
      const added = await models.policies.addForm(form, callerOf(request).user.id);
      await recordAudit(models, request, "form-changed", form.id, { version: added.form.version });
      return await reply.status(201).send(formVersion(added));
    },
  );

  /** Disabled ones too: a form may be made before they are in force. */
  async function knownRules(): Promise<string[]> {
    const ids: string[] = [];
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const found = await models.policies.rules({ limit: 200, ...(cursor !== undefined && { cursor }) });
      ids.push(...found.items.map(({ rule }) => rule.id));
      cursor = found.nextCursor;
    }
    return ids;
  }
};
