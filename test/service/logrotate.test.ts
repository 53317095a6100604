import { expect, it } from "@jest/globals";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { deployFile } from "../support/deploy.ts";
import { eventually } from "../support/eventually.ts";
import { eventBody, signed } from "../support/fixtures.ts";
import { hexhook } from "../support/hexhook.ts";
import { serve } from "../support/processes.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { describeWith, runTool, withTool } from "../support/tools.ts";

/** Returns what `id` prints, such as the name of the current user. */
const id = (option: string): string =>
  spawnSync("id", [option], { encoding: "utf8" }).stdout.trim();

describeWith("logrotate")(
  withTool("logrotate", "AUDIT_FILE with deploy/logrotate/hexhook"),
  () => {
    it("loses no entry when it is rotated while the service runs", async () => {
      const folder = temporaryFolder().path;
      const logs = path.join(folder, "log");
      mkdirSync(logs, { mode: 0o750 });
      // logrotate rejects a rule that other users may write to.
      const rule = path.join(folder, "hexhook.rule");
      writeFileSync(
        rule,
        deployFile("logrotate/hexhook")
          .replace("/var/log/hexhook", logs)
          .replace("su hexhook hexhook", `su ${id("-un")} ${id("-gn")}`)
          .replace("dateext\n", "dateext\n    dateformat -%s\n"),
      );
      chmodSync(rule, 0o644);
      const service = await serve(folder, {
        AUDIT_FILE: path.join(logs, "audit.log"),
      });
      const linesOf = (name: string): string[] =>
        readFileSync(path.join(logs, name), "utf8").split("\n").filter(Boolean);
      const accept = async (event: string): Promise<void> => {
        const body = eventBody(event);
        expect((await service.post(body, signed(body))).status).toBe(200);
        await eventually(
          () =>
            readdirSync(logs).includes("audit.log") &&
            linesOf("audit.log").some((line) => line.includes(`"${event}"`)),
        );
      };

      await accept("evt_1");
      const { code, output } = runTool("logrotate", [
        ...["--force", "--verbose"],
        ...["--state", path.join(folder, "state"), rule],
      ]);
      expect([code, output]).toEqual([
        0,
        expect.not.stringContaining("error:"),
      ]);
      expect(readdirSync(logs)).toEqual([
        expect.stringMatching(/^audit\.log-\d+$/),
      ]);
      await accept("evt_2");
      await service.stop();

      const [current, rotated] = readdirSync(logs).sort();
      expect(linesOf(rotated!).join("\n")).not.toContain("evt_2");
      // Both files together are the whole trail.
      const verified = await hexhook(["audit", "verify", "--file", "-"], {
        cwd: folder,
        input: [...linesOf(rotated!), ...linesOf(current!), ""].join("\n"),
      });
      expect(verified).toMatchObject({
        code: 0,
        stdout: expect.stringContaining("intact"),
      });
    });
  },
);
