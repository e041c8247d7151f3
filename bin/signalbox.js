#!/usr/bin/env node
// Starts Signalbox. Plain JavaScript without newer syntax on purpose: a Node.js that is too old must still be able to read it, and say so.
const major = Number(process.versions.node.split(".")[0]);

if (major < 24) {
  process.stderr.write(
    "signalbox needs Node.js 24 or later; this is " +
      process.version +
      ".\n" +
      "In a project:  npm install --save-dev --save-exact node@24  and then  npx signalbox\n" +
      "In a checkout: npm ci  and then  npm start  (npm runs the pinned Node.js)\n",
  );
  // 78 is EX_CONFIG of sysexits.h: the place it runs in must change, not the command.
  process.exit(78);
}

import("node:fs")
  .then(function (fs) {
    // The published package carries dist/ and no src/; a checkout may have both, and there the source is the truth.
    const source = new URL("../src/main.ts", import.meta.url);
    return import((fs.existsSync(source) ? source : new URL("../dist/main.js", import.meta.url)).href);
  })
  .catch(function (error) {
    process.stderr.write("signalbox could not start: " + (error && error.stack ? error.stack : String(error)) + "\n");
    // 70 is EX_SOFTWARE of sysexits.h.
    process.exit(70);
  });
