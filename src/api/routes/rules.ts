import { recordAudit } from "../audit.ts";
import { EVERYONE, SUPERVISORS } from "../auth/access.ts";
import { callerOf } from "../auth/caller.ts";
import { readNewRules } from "../policies/new-rules.ts";
import { DATA_TYPES, parseYamlBodies } from "../policies/yaml-bodies.ts";
import { page } from "../schemas/common.ts";
import { RuleFileBody, RulesAdded, RuleVersion, ruleVersion, VersionsQuery } from "../schemas/policies.ts";
import type { ApiRoutes } from "../server.ts";

/** Rules by version; one that was ever added never changes. */
export const ruleRoutes: ApiRoutes = (app, { models }) => {
  parseYamlBodies(app, "rules/invalid");

  app.get(
    "/api/rules",
    {
      config: { access: { roles: EVERYONE } },
      schema: {
        summary: "Rules in force, or all versions of one",
        tags: ["rules"],
        querystring: VersionsQuery,
        response: { 200: page(RuleVersion) },
      },
    },
    async (request) => {
      const { id, limit = 50, cursor } = request.query;
      const owner = callerOf(request).user.id;
      const found = await models.policies.rules({ limit, owner, ...(id !== undefined && { id }), ...(cursor !== undefined && { cursor }) });
      return { items: found.items.map(ruleVersion), nextCursor: found.nextCursor };
    },
  );

  app.post(
    "/api/rules",
    {
      config: { access: { roles: SUPERVISORS } },
      schema: {
        summary: "Add versions of rules: a rule file, whose examples must come out as they say",
        tags: ["rules"],
        consumes: [...DATA_TYPES],
        body: RuleFileBody,
        response: { 201: RulesAdded },
      },
    },
    async (request, reply) => {
      const { rules, language } = await readNewRules(request.body);
      const { user } = callerOf(request);
      const items = [];
      for (const rule of rules) {
        const added = await models.policies.addRule(rule, language ?? null, user.id);
        await recordAudit(models, request, "rule-changed", rule.id, { version: added.rule.version, language: language ?? null });
        items.push(ruleVersion(added));
      }
      return await reply.status(201).send({ items });
    },
  );
};
