import type { AuditEntry } from "../../models/audit.ts";
import type { CoverageDay } from "../../models/call-records.ts";
import type { Call } from "../../models/calls.ts";
import type { User } from "../../models/people.ts";
import type { SearchHit } from "../../models/search.ts";
import { type ColumnOf, column, placeOf } from "./columns.ts";

/** Columns of the coverage ledger. */
export const COVERAGE_COLUMNS: readonly ColumnOf<CoverageDay>[] = [
  column("日期", "Date", ({ date }) => date),
  column("应有", "Expected", ({ expected }) => expected),
  column("已接收", "Received", ({ received }) => received),
  column("已质检", "Screened", ({ screened }) => screened),
  column("失败", "Failed", ({ failed }) => failed),
  column("处理中", "Pending", ({ pending }) => pending),
  column("不可用", "Unusable", ({ unusable }) => unusable),
  column("已删除", "Deleted", ({ deleted }) => deleted),
  column("缺失数", "Missing", ({ missingCount }) => missingCount),
  column("多出数", "Unexpected", ({ unexpected }) => unexpected),
  column("缺失话单", "Missing calls", ({ missing }) => missing.join(" "), 60),
];

/** Columns of the audit log. */
export const AUDIT_COLUMNS: readonly ColumnOf<AuditEntry>[] = [
  column("时间", "At", ({ at }) => at, 20),
  column("用户", "User", ({ username }) => username),
  column("用户编号", "User id", ({ by }) => by, 26),
  column("操作", "What", ({ what }) => what, 20),
  column("对象", "Object", ({ object }) => object, 26),
  column("来源地址", "From", ({ from }) => from, 18),
  column("详情", "Details", ({ details }) => JSON.stringify(details), 60),
];

/** Columns of the people who sign in. */
export const USER_COLUMNS: readonly ColumnOf<User>[] = [
  column("用户名", "Username", ({ username }) => username),
  column("姓名", "Name", ({ name }) => name),
  column("角色", "Role", ({ role }) => role),
  column("班组", "Team", ({ team }) => team),
  column("坐席工号", "Agent id", ({ agentId }) => agentId),
  column("停用", "Disabled", ({ disabled }) => disabled),
  column("创建时间", "Created", ({ createdAt }) => createdAt, 20),
];

/** A place that was found, with its call. */
export interface HitRow {
  readonly hit: SearchHit;
  readonly call: Call | null;
}

/** Columns of what a search found. */
export const HIT_COLUMNS: readonly ColumnOf<HitRow>[] = [
  column("通话", "Call", ({ hit }) => hit.callId, 26),
  column("话单编号", "Call id", ({ call }) => call?.metadata.callId, 20),
  column("开始时间", "Started", ({ call }) => call?.startedAt, 20),
  column("坐席工号", "Agent id", ({ call }) => call?.metadata.agentId),
  column("班组", "Team", ({ call }) => call?.metadata.team),
  column("角色", "Role", ({ hit }) => hit.role),
  column("开始", "From", ({ hit }) => placeOf(hit.startMs)),
  column("结束", "To", ({ hit }) => placeOf(hit.endMs)),
  column("原文", "Text", ({ hit }) => hit.text, 80),
  column("匹配", "Match", ({ hit }) => hit.match),
];

/** Hits with their calls; hits of one call come together. */
export async function* hitRows(hits: AsyncIterable<SearchHit>, callOf: (id: string) => Promise<Call | null>): AsyncGenerator<HitRow> {
  let call: Call | null = null;
  for await (const hit of hits) {
    if (call?.id !== hit.callId) call = await callOf(hit.callId);
    yield { hit, call };
  }
}
