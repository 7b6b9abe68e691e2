/**
 * Joins equal reads: those that are asked for while one is at work wait for it to end, and are then answered by one read together. Nobody gets an answer that was
 * begun before the question, so what one has just written is in it.
 */
export class Joined<Answer> {
  readonly #running = new Map<string, Promise<unknown>>();
  readonly #next = new Map<string, Promise<Answer>>();

  /** @param name equal for equal reads */
  read(name: string, read: () => Promise<Answer>): Promise<Answer> {
    const waiting = this.#next.get(name);
    if (waiting !== undefined) return waiting;
    const running = this.#running.get(name);
    if (running === undefined) return this.#run(name, read);
    const next = running.then(() => {
      this.#next.delete(name);
      return this.#run(name, read);
    });
    this.#next.set(name, next);
    return next;
  }

  #run(name: string, read: () => Promise<Answer>): Promise<Answer> {
    const answer = read();
    const ended = answer.then(
      () => undefined,
      () => undefined,
    );
    this.#running.set(name, ended);
    void ended.then(() => {
      if (this.#running.get(name) === ended) this.#running.delete(name);
    });
    return answer;
  }
}
