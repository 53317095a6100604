import { Command } from "commander";
import { addAuditScopes } from "./commands/audit-scopes.ts";
import { addAuditTail } from "./commands/audit-tail.ts";
import { addAuditVerify } from "./commands/audit-verify.ts";
import { addDemo } from "./commands/demo.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addEventsDiscard } from "./commands/events-discard.ts";
import { addEventsList } from "./commands/events-list.ts";
import { addEventsRedeliver } from "./commands/events-redeliver.ts";
import { addEventsShow } from "./commands/events-show.ts";
import { addKeysCheck } from "./commands/keys-check.ts";
import { addKeysRotate } from "./commands/keys-rotate.ts";
import { addMigrate } from "./commands/migrate.ts";
import { addSecretsCheck } from "./commands/secrets-check.ts";
import { addSecretsGenerate } from "./commands/secrets-generate.ts";
import { addSend } from "./commands/send.ts";
import { addServe } from "./commands/serve.ts";
import { addSign } from "./commands/sign.ts";
import { addVerify } from "./commands/verify.ts";
import type { Io, Output } from "./io.ts";
import { report } from "./ui/report.ts";
import { TERMINAL_WIDTH, visible } from "./ui/terminal-text.ts";
import { VERSION } from "../version.ts";

/** Runs a command to its end, and sets its exit code. A service that was started goes on. */
export async function run(args: readonly string[], io: Io): Promise<void> {
  try {
    await createProgram(io).parseAsync(args, { from: "user" });
  } catch (thrown) {
    io.setExitCode(report(io, thrown));
  }
}

/** All commands. Parsing throws what a command throws, and a CommanderError for wrong words, help and version. */
export function createProgram(io: Io): Command {
  const program = new Command("hexhook")
    .description(
      "A webhook receiver: signed, replay-safe, durable before it answers, audited.",
    )
    .version(VERSION)
    .addHelpText(
      "after",
      "\nThe configuration comes from the environment and from .env in this folder;\ndocs/configuration.md lists the variables.\nExit codes: 0 good, 1 a check failed, 2 undecidable, 64 usage, 70 internal, 78 configuration.",
    )
    .showHelpAfterError("(hexhook --help lists the commands and options)")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      outputError: (text, write) => {
        write(visibleError(text));
      },
      getOutHelpWidth: () => widthOf(io.stdout),
      getErrHelpWidth: () => widthOf(io.stderr),
    });

  addServe(program, io);
  addSend(program, io);
  addSign(program, io);
  addVerify(program, io);
  const audit = program
    .command("audit")
    .description("the audit trail: tail, verify, scopes");
  addAuditTail(audit, io);
  addAuditVerify(audit, io);
  addAuditScopes(audit, io);
  const events = program
    .command("events")
    .description("stored events: list, show, redeliver, discard");
  addEventsList(events, io);
  addEventsShow(events, io);
  addEventsRedeliver(events, io);
  addEventsDiscard(events, io);
  const secrets = program
    .command("secrets")
    .description("signing secrets: generate, check");
  addSecretsGenerate(secrets, io);
  addSecretsCheck(secrets, io);
  const keys = program
    .command("keys")
    .description("keys of the Hex API: check, rotate");
  addKeysCheck(keys, io);
  addKeysRotate(keys, io);
  addMigrate(program, io);
  addDoctor(program, io);
  addDemo(program, io);
  return program;
}

const widthOf = ({ isTTY, columns = TERMINAL_WIDTH }: Output): number =>
  isTTY ? columns : TERMINAL_WIDTH;

/** Commander's error, which repeats the argument that it is about. Only the newlines of its own stay. */
function visibleError(text: string): string {
  const [, error = "", suggestion = ""] =
    /^(.*?)(\n\(Did you mean [^\n]*\))?\n?$/s.exec(text) ?? [];
  return `${visible(error)}${suggestion}\n`;
}
