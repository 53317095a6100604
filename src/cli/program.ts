import { Command, type OptionValues } from "commander";
import { UsageError } from "../errors.ts";
import { addAuditScopes } from "./commands/audit-scopes.ts";
import { addAuditTail } from "./commands/audit-tail.ts";
import { addAuditVerify } from "./commands/audit-verify.ts";
import { addBackup } from "./commands/backup.ts";
import { addCompletion } from "./commands/completion.ts";
import { addConfigCheck } from "./commands/config-check.ts";
import { addConfigSchema } from "./commands/config-schema.ts";
import { addDemo } from "./commands/demo.ts";
import { addDestinations } from "./commands/destinations.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addEventsDiscard } from "./commands/events-discard.ts";
import { addEventsExport } from "./commands/events-export.ts";
import { addEventsList } from "./commands/events-list.ts";
import { addEventsRedeliver } from "./commands/events-redeliver.ts";
import { addEventsShow } from "./commands/events-show.ts";
import { addKeysCheck } from "./commands/keys-check.ts";
import { addKeysRotate } from "./commands/keys-rotate.ts";
import { addListen } from "./commands/listen.ts";
import { addMigrate } from "./commands/migrate.ts";
import { addSecretsCheck } from "./commands/secrets-check.ts";
import { addSecretsGenerate } from "./commands/secrets-generate.ts";
import { addSend } from "./commands/send.ts";
import { addServe } from "./commands/serve.ts";
import { addSign } from "./commands/sign.ts";
import { addStatus } from "./commands/status.ts";
import { addVerify } from "./commands/verify.ts";
import type { Io } from "./io.ts";
import { report } from "./ui/report.ts";
import { displayOf } from "../terminal/display.ts";
import { VERSION } from "../version.ts";

/** Runs a command and sets its exit code. Returns when the command has ended, or when the service has started. */
export async function run(args: readonly string[], io: Io): Promise<void> {
  const program = createProgram(io);
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (thrown) {
    io.setExitCode(report(io, thrown, commandOf(program, args)));
  }
}

/**
 * Creates the program with all its commands. `parseAsync` rejects with the error of a command, and with CommanderError for wrong
 * usage, help and version.
 */
export function createProgram(io: Io): Command {
  const program = new Command("hexhook")
    .description(
      "Receives webhooks: verifies signatures, rejects replays, stores each event durably and keeps an audit trail.",
    )
    .version(VERSION)
    .addHelpText(
      "after",
      "\nThe configuration is read from the environment and from .env in this directory.\ndocs/configuration.md lists the variables.\nExit status: 0 success, 1 a check failed, 2 undecidable (audit verify), 64\nwrong usage, 70 internal or storage error, 78 wrong configuration.",
    )
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      // `report` prints these errors with all others.
      outputError: () => undefined,
      getOutHelpWidth: () => displayOf(io.stdout, io.env).width(),
      getErrHelpWidth: () => displayOf(io.stderr, io.env).width(),
    });

  addServe(program, io);
  addSend(program, io);
  addSign(program, io);
  addVerify(program, io);
  addListen(program, io);
  const audit = program
    .command("audit")
    .description("the audit trail: tail, verify, scopes");
  addAuditTail(audit, io);
  addAuditVerify(audit, io);
  addAuditScopes(audit, io);
  const events = program
    .command("events")
    .description("stored events: list, show, export, redeliver, discard");
  addEventsList(events, io);
  addEventsShow(events, io);
  addEventsExport(events, io);
  addEventsRedeliver(events, io);
  addEventsDiscard(events, io);
  addDestinations(program, io);
  addStatus(program, io);
  const config = program
    .command("config")
    .description("the configuration: check it, or print its JSON Schema");
  addConfigCheck(config, io);
  addConfigSchema(config, io);
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
  addBackup(program, io);
  addDoctor(program, io);
  addDemo(program, io);
  addCompletion(program, io);
  program.hook("preAction", (_program, command) => {
    requireOrder(command.opts());
  });
  return program;
}

/** Throws UsageError for a range of time that is empty, for every command that has both options. */
function requireOrder({ since, until }: OptionValues): void {
  if (typeof since === "number" && typeof until === "number" && since > until) {
    throw new UsageError(
      "--since is later than --until, so nothing can match: exchange the two",
    );
  }
}

/** Returns the command that the arguments name: the program itself when the first one is an option or unknown. */
function commandOf(program: Command, args: readonly string[]): Command {
  const [name, ...rest] = args;
  const named = program.commands.find((one) => one.name() === name);
  return named === undefined ? program : commandOf(named, rest);
}
