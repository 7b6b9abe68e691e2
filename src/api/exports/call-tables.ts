import type { Call } from "../../models/calls.ts";
import type { Models } from "../../models/models.ts";
import type { Review } from "../../models/reviews.ts";
import { OPERATORS } from "../../pipeline/operators/index.ts";
import { messageTable, renderFinding } from "../../pipeline/rules/messages.ts";
import type { Policy } from "../../pipeline/rules/policy.ts";
import { applyReview } from "../../pipeline/scoring/review.ts";
import type { Screening } from "../../pipeline/screening.ts";
import type { Finding, Language, Score, ScoreItem } from "../../pipeline/types.ts";
import type { KeptPolicies } from "../reviews/kept-policies.ts";
import { reviewedKey } from "../reviews/reviewed-screening.ts";
import { type ColumnOf, column, columnsOf, placeOf } from "./columns.ts";

/** Names of people, each looked up once an export. */
export type NameOf = (userId: string | null) => Promise<string | null>;

/** A call with the name of who has it, or has done it. */
export interface CallRow {
  readonly call: Call;
  readonly reviewer: string | null;
}

const ABOUT: readonly ColumnOf<Call>[] = [
  column("通话", "Call", ({ id }) => id, 26),
  column("话单编号", "Call id", ({ metadata }) => metadata.callId, 20),
  column("开始时间", "Started", ({ startedAt }) => startedAt, 20),
  column("坐席工号", "Agent id", ({ metadata }) => metadata.agentId),
  column("坐席姓名", "Agent", ({ metadata }) => metadata.agentName),
  column("班组", "Team", ({ metadata }) => metadata.team),
];

/** Columns of a list of calls. */
export const CALL_COLUMNS: readonly ColumnOf<CallRow>[] = [
  ...columnsOf<CallRow, Call>(
    [
      ...ABOUT,
      column("录音", "Recording", ({ name }) => name, 24),
      column("技能队列", "Queue", ({ metadata }) => metadata.queue),
      column("产品", "Product", ({ metadata }) => metadata.product),
      column("方向", "Direction", ({ metadata }) => metadata.direction),
      column("客户号码", "Customer number", ({ metadata }) => metadata.customerNumber, 18),
      column("时长(秒)", "Duration (s)", ({ summary }) => (summary ? Math.round(summary.durationMs / 1000) : null)),
      column("满意度", "Satisfaction", ({ metadata }) => metadata.satisfaction),
      column("接收时间", "Received", ({ receivedAt }) => receivedAt, 20),
      column("状态", "Status", ({ status }) => status),
      column("错误", "Error", ({ error }) => error?.code),
      column("机审分", "Pre-score", ({ summary }) => summary?.score),
      column("终审分", "Final score", ({ review }) => review?.score),
      column("满分", "Maximum", ({ summary }) => summary?.max),
      column("等级", "Band", ({ summary }) => summary?.band),
      column("致命", "Fatal", ({ summary }) => summary?.fatal),
      column("评分完整", "Complete", ({ summary }) => summary?.complete),
      column("分诊", "Triage", ({ summary }) => summary?.queue),
      column("优先级", "Priority", ({ summary }) => summary?.priority),
      column("原因", "Reasons", ({ summary }) => summary?.reasons.join(" "), 40),
      column("命中数", "Findings", ({ summary }) => summary?.findings),
      column("抽样", "Sampled", ({ sampled }) => sampled),
      column("复核状态", "Review", ({ review }) => review?.state),
    ],
    ({ call }) => call,
  ),
  column("复核人", "Reviewer", ({ reviewer }) => reviewer),
];

/** Calls as rows of a list. */
export async function* callRows(calls: AsyncIterable<Call>, nameOf: NameOf): AsyncGenerator<CallRow> {
  for await (const call of calls) yield { call, reviewer: await nameOf(call.review?.by ?? null) };
}

/** A call with what was found and what people said of it. */
interface Result {
  readonly call: Call;
  readonly screening: Screening;
  readonly policy: Policy;
  readonly review: Review | null;
  readonly findings: readonly Finding[];
  readonly score: Score;
}

/** Scored calls with their results, one after the other; those whose result has been deleted are left out. */
async function* results(
  calls: AsyncIterable<Call>,
  models: Pick<Models, "reviews" | "screenings">,
  policyOf: KeptPolicies,
): AsyncGenerator<Result> {
  for await (const call of calls) {
    if (!call.summary) continue;
    const review = (call.review?.version ?? 0) > 0 ? await models.reviews.latest(call.id) : null;
    const key = reviewedKey(call, review);
    const screening = key && (await models.screenings.get(call.id, key.recipe, key.policy));
    if (!screening) continue;
    const policy = await policyOf(screening);
    const { findings, score } = review ? applyReview(screening, policy, review) : screening;
    yield { call, screening, policy, review, findings, score };
  }
}

/** One finding of a call. */
export interface FindingRow {
  readonly call: Call;
  readonly finding: Finding;
  readonly name: string;
  readonly message: string;
  readonly decision: string | null;
  readonly note: string | null;
}

/** Columns of what was found. */
export const FINDING_COLUMNS: readonly ColumnOf<FindingRow>[] = [
  ...columnsOf<FindingRow, Call>(ABOUT, ({ call }) => call),
  column("命中", "Finding", ({ finding }) => finding.id),
  column("规则", "Rule", ({ finding }) => finding.rule, 22),
  column("规则名称", "Rule name", ({ name }) => name, 22),
  column("规则版本", "Rule version", ({ finding }) => finding.ruleVersion),
  column("严重程度", "Severity", ({ finding }) => finding.severity),
  column("角色", "Role", ({ finding }) => finding.role),
  column("开始", "From", ({ finding }) => placeOf(finding.startMs)),
  column("结束", "To", ({ finding }) => placeOf(finding.endMs)),
  column("原文", "Quote", ({ finding }) => finding.quote, 40),
  column("说明", "Message", ({ message }) => message, 40),
  column("置信度", "Confidence", ({ finding }) => finding.confidence),
  column("计分", "Counts", ({ finding }) => finding.counts),
  column("人工结论", "Decision", ({ decision }) => decision),
  column("备注", "Note", ({ note }) => note, 40),
];

/** What was found in calls, with what people said of it; findings that a person added are confirmed. */
export async function* findingRows(
  calls: AsyncIterable<Call>,
  models: Pick<Models, "reviews" | "screenings">,
  policyOf: KeptPolicies,
  language: Language,
): AsyncGenerator<FindingRow> {
  for await (const { call, screening, policy, review, findings } of results(calls, models, policyOf)) {
    const messages = messageTable(OPERATORS, policy.rules);
    const machine = new Set(screening.findings);
    for (const finding of findings) {
      const said = review?.findings.find(({ id }) => id === finding.id);
      const added = machine.has(finding)
        ? undefined
        : review?.added.find(({ rule, startMs, endMs }) => rule === finding.rule && startMs === finding.startMs && endMs === finding.endMs);
      yield {
        call,
        finding,
        name: ruleName(policy, finding.rule, language),
        message: renderFinding(finding, messages, language),
        decision: added ? "added" : (said?.decision ?? null),
        note: (added ?? said)?.note ?? null,
      };
    }
  }
}

/** One line of a call's score. */
export interface ItemRow {
  readonly call: Call;
  readonly score: Score;
  readonly isFinal: boolean;
  readonly item: ScoreItem;
  readonly name: string;
}

/** Columns of scores, line by line. */
export const ITEM_COLUMNS: readonly ColumnOf<ItemRow>[] = [
  ...columnsOf<ItemRow, Call>(ABOUT, ({ call }) => call),
  column("评分表", "Form", ({ score }) => score.form, 18),
  column("版本", "Version", ({ score }) => score.version),
  column("总分", "Total", ({ score }) => score.total),
  column("等级", "Band", ({ score }) => score.band),
  column("已复核", "Reviewed", ({ isFinal }) => isFinal),
  column("评分项", "Item", ({ item }) => item.item, 22),
  column("评分项名称", "Item name", ({ name }) => name, 22),
  column("分组", "Group", ({ item }) => item.group),
  column("得分", "Points", ({ item }) => item.points),
  column("满分", "Maximum", ({ item }) => item.max),
  column("评分方", "By", ({ item }) => item.by),
  column("状态", "Status", ({ item }) => item.status),
  column("命中", "Findings", ({ item }) => item.findings.join(" ")),
  column("理由", "Reason", ({ item }) => item.reason, 40),
];

/** Scores of calls, line by line: the final one where there is one. */
export async function* itemRows(
  calls: AsyncIterable<Call>,
  models: Pick<Models, "reviews" | "screenings">,
  policyOf: KeptPolicies,
  language: Language,
): AsyncGenerator<ItemRow> {
  for await (const { call, policy, review, score } of results(calls, models, policyOf)) {
    const isFinal = review?.status === "submitted";
    const items = policy.form.groups.flatMap((group) => group.items);
    for (const item of score.items) {
      const name = items.find(({ id }) => id === item.item)?.name[language] ?? ruleName(policy, item.item, language);
      yield { call, score, isFinal, item, name };
    }
  }
}

function ruleName({ rules }: Policy, id: string, language: Language): string {
  return rules.find((rule) => rule.id === id)?.rule.name[language] ?? id;
}
