/** So long somebody may look at the same again. */
const KEPT_MS = 60_000;

/** Values by key that are let go of after a minute, and the oldest of them sooner where there are too many. */
export class Kept<Value> {
  readonly #kept = new Map<string, { readonly value: Value; readonly untilMs: number }>();
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  get(key: string): Value | undefined {
    const found = this.#kept.get(key);
    return found && found.untilMs > Date.now() ? found.value : undefined;
  }

  set(key: string, value: Value): void {
    const nowMs = Date.now();
    this.#kept.delete(key);
    this.#kept.set(key, { value, untilMs: nowMs + KEPT_MS });
    // The oldest come first.
    for (const [oldest, { untilMs }] of this.#kept) {
      if (untilMs > nowMs && this.#kept.size <= this.#most) break;
      this.#kept.delete(oldest);
    }
  }

  delete(key: string): void {
    this.#kept.delete(key);
  }
}
