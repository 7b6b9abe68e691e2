/**
 * Last-moment clean-up for a process that ends without unwinding (`process.exit`, an uncaught error). The set is module
 * state on purpose: a process ends once, and one listener for all keeps clear of Node's limit of ten.
 */
const tasks = new Set<() => void>();

function runAll(): void {
  for (const task of [...tasks].reverse()) {
    try {
      task();
    } catch {
      // Nobody is left to be told, and the other tasks still want their turn.
    }
  }
}

/** Has `task` (synchronous) run should the process exit first; the answer calls that off. */
export function atExit(task: () => void): () => void {
  if (tasks.size === 0) process.on("exit", runAll);
  tasks.add(task);
  return () => {
    tasks.delete(task);
    if (tasks.size === 0) process.off("exit", runAll);
  };
}
