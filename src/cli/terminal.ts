/** What a command is given of its process, so that tests can run it inside theirs. */
export interface Terminal {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

/** Exit codes of contracts.md §1. */
export const EXIT = { done: 0, bug: 1, usage: 2, someFailed: 3, interrupted: 130 } as const;
