#!/usr/bin/env node
import { run } from "../dist/cli.js";

// `callsift … | head`: whoever read our output has seen enough.
process.stdout.on("error", (error) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});
process.exitCode = await run(process.argv.slice(2));
