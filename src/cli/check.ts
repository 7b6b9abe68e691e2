/** One thing that `doctor` looked at. `warn` works, but less well; `fail` must be mended before calls can be screened. */
export interface Check {
  readonly name: string;
  readonly state: "ok" | "warn" | "fail";
  readonly detail: string;
  /** What to do. */
  readonly remedy?: string;
}
