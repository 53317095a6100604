import { Command } from "commander";
import { addAuditScopes } from "./audit-scopes.ts";
import { addAuditTail } from "./audit-tail.ts";
import { addAuditVerify } from "./audit-verify.ts";
import { addDemo } from "./demo.ts";
import { addDoctor } from "./doctor.ts";
import { addEventsList } from "./events-list.ts";
import { addEventsRedeliver } from "./events-redeliver.ts";
import { addEventsShow } from "./events-show.ts";
import { addKeysCheck } from "./keys-check.ts";
import { addKeysRotate } from "./keys-rotate.ts";
import { addMigrate } from "./migrate.ts";
import { endWhenReaderLeaves, report } from "./report.ts";
import { addSecretsCheck } from "./secrets-check.ts";
import { addSecretsGenerate } from "./secrets-generate.ts";
import { addSend } from "./send.ts";
import { addServe } from "./serve.ts";
import { addSign } from "./sign.ts";
import { addVerify } from "./verify.ts";
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
