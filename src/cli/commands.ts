import { approvalCommands } from "./approval-commands.ts";
import { auditCommands } from "./audit-commands.ts";
import { backupCommands } from "./backup-commands.ts";
import { basicCommands } from "./basic-commands.ts";
import { callCommand } from "./call-command.ts";
import type { Command } from "./command.ts";
import { deadLetterCommands } from "./dead-letter-commands.ts";
import { deferralCommands } from "./deferral-commands.ts";
import { diffCommand } from "./diff-command.ts";
import { doctorCommand } from "./doctor-command.ts";
import { healthCommands } from "./health-commands.ts";
import { helpText } from "./help.ts";
import { ledgerCommands, userCommands } from "./operator-commands.ts";
import { pinCommands } from "./pin-commands.ts";
import { planCommands } from "./plan-commands.ts";
import { policyCommands } from "./policy-commands.ts";
import { readOnlyCommands } from "./read-only-commands.ts";
import { serveCommand } from "./serve-command.ts";
import { rolesCommand } from "./roles-command.ts";
import { sessionCommands } from "./session-commands.ts";
import { simulateCommand } from "./simulate-command.ts";
import { toolCommands } from "./tool-commands.ts";
import { viewCommand } from "./view-command.ts";

const [init, ...others] = basicCommands as readonly [Command, ...Command[]];

const help: Command = {
  name: "help",
  summary: "Show help, for everything or one command",
  takes: ["[COMMAND]", "[SUBCOMMAND]"],
  async run(invocation) {
    invocation.terminal.out(helpText(commands, invocation.positionals.join(" "), invocation.terminal.columns));
    return "ok";
  },
};

/** Every command, in the order in which help lists them. */
export const commands: readonly Command[] = [
  init,
  doctorCommand,
  serveCommand,
  callCommand,
  ...approvalCommands,
  ...planCommands,
  ...sessionCommands,
  ...deadLetterCommands,
  ...deferralCommands,
  ...toolCommands,
  rolesCommand,
  ...healthCommands,
  diffCommand,
  ...pinCommands,
  ...policyCommands,
  simulateCommand,
  ...userCommands,
  ...readOnlyCommands,
  ...auditCommands,
  viewCommand,
  ...ledgerCommands,
  ...backupCommands,
  ...others,
  help,
];
