import { expect, it } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { userInfo } from "node:os";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { deployFile } from "../support/deploy.ts";
import { unitEnv } from "../support/deploy-config.ts";
import { CLI } from "../support/processes.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { describeWith, runTool, withTool } from "../support/tools.ts";

/** Writes a text to a file of a temporary directory, and returns its path. */
function temporaryFile(name: string, text: string): string {
  const file = path.join(temporaryFolder().path, name);
  writeFileSync(file, text, { mode: 0o644 });
  return file;
}

describeWith("haproxy")(withTool("haproxy", "deploy/haproxy.cfg"), () => {
  const check = (text: string) =>
    runTool("haproxy", ["-c", "-f", temporaryFile("haproxy.cfg", text)]);

  it("is accepted by HAProxy without warnings", () => {
    // The names of the replicas exist only in the network of Compose.
    const { code, output } = check(
      deployFile("haproxy.cfg").replaceAll(/hexhook-\d:/g, "127.0.0.1:"),
    );
    expect([code, output.trim()]).toEqual([0, "Configuration file is valid"]);
  });

  it("is accepted before the replicas have started", () => {
    expect(check(deployFile("haproxy.cfg")).code).toBe(0);
  });
});

describeWith("systemd-analyze")(
  withTool("systemd-analyze", "deploy/systemd/hexhook.service"),
  () => {
    const unit = deployFile("systemd/hexhook.service")
      // These exist only where the unit is installed.
      .replace(
        "/usr/bin/node /opt/hexhook/dist/cli.js",
        `${process.execPath} ${CLI}`,
      )
      .replace("User=hexhook", `User=${userInfo().username}`);
    const verify = (text: string) =>
      runTool("systemd-analyze", [
        "verify",
        "--man=no",
        temporaryFile("hexhook.service", text),
      ]);

    it("is accepted by systemd without warnings", () => {
      expect(verify(unit)).toEqual({ code: 0, output: "" });
    });

    it("is checked for unknown settings", () => {
      expect(verify(unit.replace("Restart=", "Restrat=")).output).toContain(
        "Unknown key",
      );
    });
  },
);

describeWith("logrotate")(
  withTool("logrotate", "deploy/logrotate/hexhook"),
  () => {
    it("is accepted by logrotate, and rotates AUDIT_FILE of the unit", () => {
      const [user, group] = ["-un", "-gn"].map((option) =>
        spawnSync("id", [option], { encoding: "utf8" }).stdout.trim(),
      );
      const rule = deployFile("logrotate/hexhook").replace(
        "su hexhook hexhook",
        `su ${user!} ${group!}`,
      );
      const { code, output } = runTool("logrotate", [
        "-d",
        temporaryFile("hexhook", rule),
      ]);
      expect([code, output]).toEqual([0, expect.not.stringContaining("error")]);
      expect(output).toContain(`rotating pattern: ${unitEnv["AUDIT_FILE"]!} `);
    });
  },
);
