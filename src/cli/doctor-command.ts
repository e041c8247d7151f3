import { configFlag, type Command } from "./command.ts";
import { examine, type Finding } from "./doctor-checks.ts";
import { paint, plain, show } from "./terminal.ts";

const marks = { ok: ["green", "ok  "], warn: ["yellow", "warn"], fail: ["red", "FAIL"] } as const;

/** `signalbox doctor`: everything that would keep the installation from working, each with its mend. */
export const doctorCommand: Command = {
  name: "doctor",
  summary: "Check this installation and say what to mend",
  flags: configFlag,
  async run(invocation) {
    const findings = await examine(invocation);
    show(invocation, { findings }, () => findings.map((finding) => line(finding, invocation.terminal)).join(""));
    return findings.some((finding) => finding.status === "fail") ? "failed" : "ok";
  },
};

function line(finding: Finding, terminal: Parameters<typeof paint>[0]): string {
  const [colour, mark] = marks[finding.status];
  const mend = finding.mend === "" ? "" : `      mend: ${plain(finding.mend)}\n`;
  return `${paint(terminal, colour, mark)}  ${finding.check}: ${plain(finding.message)}\n${mend}`;
}
