import { Command } from "commander";
import { addAuditScopes } from "./commands/audit-scopes.ts";
import { addAuditTail } from "./commands/audit-tail.ts";
import { addAuditVerify } from "./commands/audit-verify.ts";
import { addDemo } from "./commands/demo.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addEventsList } from "./commands/events-list.ts";
import { addEventsRedeliver } from "./commands/events-redeliver.ts";
import { addEventsShow } from "./commands/events-show.ts";
import { addKeysCheck } from "./commands/keys-check.ts";
import { addKeysRotate } from "./commands/keys-rotate.ts";
import { addMigrate } from "./commands/migrate.ts";
import { endWhenReaderLeaves, report } from "./ui/report.ts";
import { addSecretsCheck } from "./commands/secrets-check.ts";
import { addSecretsGenerate } from "./commands/secrets-generate.ts";
import { addSend } from "./commands/send.ts";
import { addServe } from "./commands/serve.ts";
import { addSign } from "./commands/sign.ts";
import { addVerify } from "./commands/verify.ts";
import { VERSION } from "../version.ts";

const program = new Command("hexhook")
  .description(
    "A webhook receiver: signed, replay-safe, durable before it answers, audited.",
  )
  .version(VERSION)
  .addHelpText(
    "after",
    "\nThe configuration comes from the environment and from .env in this folder;\nREADME.md lists the variables.\nExit codes: 0 good, 1 a check failed, 64 usage, 70 internal, 78 configuration.",
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
