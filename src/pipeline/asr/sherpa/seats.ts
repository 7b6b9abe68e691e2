import { CallsiftError } from "../../errors.ts";

export interface SeatOptions {
  readonly signal?: AbortSignal | undefined;
  /** ms, from when the turn comes. */
  readonly timeoutMs?: number | undefined;
}

/** Places to work at, one piece each; further pieces wait their turn, first come first served. */
export interface Seats<Seat> {
  /**
   * Works at a seat when the turn comes. Whoever stops waiting (abort, time-out) is let go at once, but native code can't be stopped: the seat stays taken until it is done, and
   * what it gave goes to `leftOver`.
   *
   * @throws CallsiftError `aborted`, `asr/time-out`, and what the work throws
   */
  use<T>(work: (seat: Seat) => Promise<T>, leftOver: (result: T) => void, options: SeatOptions): Promise<T>;
  /** Nobody is served any more. @returns when all that runs is done */
  close(): Promise<void>;
}

export function createSeats<Seat>(all: readonly Seat[]): Seats<Seat> {
  const free = [...all];
  const waiting: { readonly enter: (seat: Seat) => void; readonly leave: (error: CallsiftError) => void }[] = [];
  const running = new Set<Promise<unknown>>();
  let isClosed = false;

  function giveBack(seat: Seat): void {
    const next = waiting.shift();
    if (next) next.enter(seat);
    // The last one used is the next one taken: a seat that was never needed costs nothing.
    else free.unshift(seat);
  }

  return {
    use(work, leftOver, { signal, timeoutMs }) {
      return new Promise((resolve, reject) => {
        const closed = () => new CallsiftError("aborted", "the recogniser was closed before the piece was heard");
        const aborted = () => new CallsiftError("aborted", "stopped on request before the piece was heard");
        if (isClosed) return reject(closed());
        if (signal?.aborted) return reject(aborted());
        let isOver = false;
        let timer: NodeJS.Timeout | undefined;
        const end = (): boolean => {
          if (isOver) return false;
          isOver = true;
          clearTimeout(timer);
          signal?.removeEventListener("abort", onAbort);
          return true;
        };
        const leave = (error: CallsiftError): void => {
          const place = waiting.indexOf(turn);
          if (place >= 0) waiting.splice(place, 1);
          if (end()) reject(error);
        };
        const onAbort = () => leave(aborted());
        const turn = {
          leave,
          enter(seat: Seat) {
            if (timeoutMs !== undefined) {
              const late = `expected the piece to be heard in ${timeoutMs} ms, it was not`;
              timer = setTimeout(() => leave(new CallsiftError("asr/time-out", late)), timeoutMs);
            }
            const done = work(seat)
              .then(
                (result) => {
                  giveBack(seat);
                  if (end()) resolve(result);
                  else leftOver(result);
                },
                (error: unknown) => {
                  giveBack(seat);
                  if (end()) reject(error);
                },
              )
              .finally(() => running.delete(done));
            running.add(done);
          },
        };
        signal?.addEventListener("abort", onAbort, { once: true });
        const seat = free.shift();
        if (seat !== undefined) turn.enter(seat);
        else waiting.push(turn);
      });
    },
    async close() {
      isClosed = true;
      const error = new CallsiftError("aborted", "the recogniser was closed before the piece was heard");
      for (const { leave } of waiting.splice(0)) leave(error);
      await Promise.allSettled([...running]);
    },
  };
}
