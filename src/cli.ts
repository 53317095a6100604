#!/usr/bin/env node
import { Command } from "commander";
import { addAuditScopes } from "./cli/audit-scopes.ts";
import { addAuditTail } from "./cli/audit-tail.ts";
import { addAuditVerify } from "./cli/audit-verify.ts";
import { addDemo } from "./cli/demo.ts";
import { addDoctor } from "./cli/doctor.ts";
import { addEventsList } from "./cli/events-list.ts";
import { addEventsRedeliver } from "./cli/events-redeliver.ts";
import { addEventsShow } from "./cli/events-show.ts";
import { addKeysCheck } from "./cli/keys-check.ts";
import { addKeysRotate } from "./cli/keys-rotate.ts";
import { addMigrate } from "./cli/migrate.ts";
import { endWhenReaderLeaves, report } from "./cli/report.ts";
import { addSecretsCheck } from "./cli/secrets-check.ts";
import { addSecretsGenerate } from "./cli/secrets-generate.ts";
import { addSend } from "./cli/send.ts";
import { addServe } from "./cli/serve.ts";
import { addSign } from "./cli/sign.ts";
import { addVerify } from "./cli/verify.ts";
import { VERSION } from "./version.ts";

const program = new Command("hexhook")
  .description(
    "A webhook receiver: signed, replay-safe, durable before it answers, audited.",
  )
  .version(VERSION)
  .addHelpText(
    "after",
    "\nThe configuration comes from the environment and from .env in this folder; README.md lists\nthe variables. Exit codes: 0 good, 1 a check failed, 64 usage, 70 internal, 78 configuration.",
  )
  .showHelpAfterError("(hexhook --help lists the commands and options)")
  .exitOverride();

addServe(program);
addSend(program);
addSign(program);
addVerify(program);
const audit = program
  .command("audit")
  .description("the audit trail: tail, verify, scopes");
addAuditTail(audit);
addAuditVerify(audit);
addAuditScopes(audit);
const events = program
  .command("events")
  .description("stored events: list, show, redeliver");
addEventsList(events);
addEventsShow(events);
addEventsRedeliver(events);
const secrets = program
  .command("secrets")
  .description("signing secrets: generate, check");
addSecretsGenerate(secrets);
addSecretsCheck(secrets);
const keys = program
  .command("keys")
  .description("keys of the Hex API: check, rotate");
addKeysCheck(keys);
addKeysRotate(keys);
addMigrate(program);
addDoctor(program);
addDemo(program);

if (process.argv[2] !== "serve") {
  endWhenReaderLeaves();
}
try {
  await program.parseAsync();
} catch (thrown) {
  process.exitCode = report(thrown);
}
