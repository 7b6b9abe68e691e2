import { type Connection, type Model, Schema } from "mongoose";
import { CallsiftError } from "../pipeline/errors.ts";
import type { Rule } from "../pipeline/rules/schema.ts";
import type { Form } from "../pipeline/scoring/schema.ts";
import type { Language } from "../pipeline/types.ts";
import { makeCursor, readCursor } from "./cursor.ts";
import { isDuplicate, modelOf, op, SAFE, STRICT } from "./model-of.ts";
import type { Page, PageOptions } from "./page.ts";
import { createPolicyLog, type EntryHead, keyOf, latest, type NewEntry, type PolicyEntry } from "./policy-log.ts";
import { DEFAULT_SETTINGS, SETTINGS_ID, settingsModel } from "./settings.ts";

/** One immutable version of a rule; the highest version of (id, language) is in force unless it is disabled. */
export interface RuleVersion {
  readonly rule: Rule;
  /** null: for calls in any language. */
  readonly language: Language | null;
  readonly by: string;
  readonly at: Date;
}

export interface FormVersion {
  readonly form: Form;
  readonly by: string;
  readonly at: Date;
}

/** Rules and form as plain data, what a policy is compiled from. */
export interface PolicySource {
  readonly rules: readonly { readonly language: Language | null; readonly rules: readonly Rule[] }[];
  readonly form: Form;
}

export interface PolicyStore {
  /** Puts the built-in rules and forms in where a version of theirs is not there yet; safe from several processes. */
  seed(source: PolicySource & { readonly forms: readonly Form[] }): Promise<void>;
  /** Adds the next version (its number is given here, whatever the rule says). `stale` never happens: decided by the unique index, tried again. */
  addRule(rule: Rule, language: Language | null, by: string): Promise<RuleVersion>;
  addForm(form: Form, by: string): Promise<FormVersion>;
  /** Versions, newest first; without an id the version in force of each. */
  rules(options: PageOptions & { readonly id?: string }): Promise<Page<RuleVersion>>;
  forms(options: PageOptions & { readonly id?: string }): Promise<Page<FormVersion>>;
  /** What is in force now, with a revision that changes whenever it does: one small read when it has not. `activeForm` of the settings names the form. */
  current(known?: string): Promise<{ readonly revision: string; readonly source: PolicySource } | null>;
  /** Keeps what a screening was judged by, under its policy hash, so that a review can be scored by the same rules for ever. */
  keep(hash: string, source: PolicySource): Promise<void>;
  kept(hash: string): Promise<PolicySource | null>;
}

/** What a screening was judged by. */
interface KeptPolicy {
  /** The policy hash. */
  _id: string;
  v: number;
  json: string;
}
const keptSchema = new Schema<KeptPolicy>(
  { _id: { type: String, required: true }, v: { type: Number, default: 1 }, json: { type: String, required: true } },
  STRICT,
);

/** Who is named where callsift itself adds a version. */
const SYSTEM = "system";

/** Rules and forms by version, and what is in force. */
export function createPolicyStore(connection: Connection): PolicyStore {
  const { lastNumber, heads, whole, append } = createPolicyLog(connection);
  const keptPolicies: Model<KeptPolicy> = modelOf(connection, "policySources", keptSchema);
  const settings = settingsModel(connection);

  const page = async <Item>(
    kind: PolicyEntry["kind"],
    of: (entry: PolicyEntry) => Item,
    { id, limit, cursor, owner }: PageOptions & { id?: string },
  ): Promise<Page<Item>> => {
    const bound = ["policies", owner, kind, id];
    const all = await heads(id === undefined ? { kind } : { kind, name: id });
    const listed = id === undefined ? [...latest(all).values()].sort(byKey) : all.reverse();
    const after = cursor === undefined ? null : (readCursor(bound, cursor, ["string", "number"]) as [string, number]);
    // Of versions, what is older than the last one; of those in force, what comes after it by name.
    const rest = after === null ? listed : listed.filter((entry) => (id === undefined ? keyOf(entry) > after[0] : entry._id < after[1]));
    const shown = rest.slice(0, limit);
    const found = await whole(shown.map(({ _id }) => _id));
    const last = shown.at(-1);
    return {
      items: shown.map(({ _id }) => of(found.get(_id) as PolicyEntry)),
      nextCursor: rest.length > limit && last ? makeCursor(bound, [keyOf(last), last._id]) : null,
    };
  };

  return {
    async seed({ rules, form, forms }) {
      const wanted = [
        ...[form, ...forms].map(
          (content): NewEntry => ({ kind: "form", name: content.id, language: "", by: SYSTEM, content, version: content.version }),
        ),
        ...rules.flatMap(({ language, rules: ofLanguage }) =>
          ofLanguage.map(
            (content): NewEntry => ({
              kind: "rule",
              name: content.id,
              language: language ?? "",
              by: SYSTEM,
              content,
              version: content.version,
            }),
          ),
        ),
      ];
      await append(wanted);
    },

    async addRule(rule, language, by) {
      const [added] = await append([{ kind: "rule", name: rule.id, language: language ?? "", by, content: rule, version: "next" }]);
      return ruleOf(added as PolicyEntry);
    },

    async addForm(form, by) {
      const [added] = await append([{ kind: "form", name: form.id, language: "", by, content: form, version: "next" }]);
      return formOf(added as PolicyEntry);
    },

    async rules(options) {
      return await page("rule", ruleOf, options);
    },

    async forms(options) {
      return await page("form", formOf, options);
    },

    async current(known) {
      const [last, set] = await Promise.all([
        lastNumber(),
        settings.findOne({ _id: SETTINGS_ID }, { activeForm: 1 }, SAFE).lean<{ activeForm?: string }>(),
      ]);
      const activeForm = set?.activeForm ?? DEFAULT_SETTINGS.activeForm;
      const revision = `${last}.${activeForm}`;
      if (revision === known) return null;
      const inForce = latest(await heads({ _id: op({ $lte: last }) }));
      const form = inForce.get(keyOf({ kind: "form", name: activeForm, language: "" }));
      if (!form) throw new CallsiftError("form/invalid", `expected a form "${activeForm}" as the settings name it, got none of that id`);
      const ids = [...inForce.values()].filter(({ kind }) => kind === "rule").map(({ _id }) => _id);
      const found = await whole([form._id, ...ids]);
      return {
        revision,
        source: {
          rules: inSets(ids.map((id) => ruleOf(found.get(id) as PolicyEntry))),
          form: formOf(found.get(form._id) as PolicyEntry).form,
        },
      };
    },

    async keep(hash, source) {
      const { rules, form } = source;
      try {
        await keptPolicies.updateOne(
          { _id: hash },
          { $setOnInsert: { v: 1, json: JSON.stringify({ rules, form }) } },
          { ...SAFE, upsert: true },
        );
      } catch (error) {
        if (!isDuplicate(error)) throw error;
      }
    },

    async kept(hash) {
      const found = await keptPolicies.findOne({ _id: hash }, null, SAFE).lean();
      return found && (JSON.parse(found.json) as PolicySource);
    },
  };
}

const byKey = (a: EntryHead, b: EntryHead): number => (keyOf(a) < keyOf(b) ? -1 : 1);

/** Enabled rules by language; one for any language stands in for those of its id. */
function inSets(versions: readonly RuleVersion[]): PolicySource["rules"] {
  const enabled = versions.filter(({ rule }) => rule.enabled !== false);
  const general = new Set(enabled.filter(({ language }) => language === null).map(({ rule }) => rule.id));
  return ([null, "zh", "en"] as const)
    .map((language) => ({
      language,
      rules: enabled
        .filter((version) => version.language === language && (language === null || !general.has(version.rule.id)))
        .map(({ rule }) => rule),
    }))
    .filter(({ rules }) => rules.length > 0);
}

function ruleOf({ json, language, by, at }: PolicyEntry): RuleVersion {
  return { rule: JSON.parse(json) as Rule, language: language === "" ? null : language, by, at };
}

function formOf({ json, by, at }: PolicyEntry): FormVersion {
  return { form: JSON.parse(json) as Form, by, at };
}
