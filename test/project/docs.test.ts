import { beforeEach, describe, expect, it } from "@jest/globals";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { ROOT } from "../support/project.ts";
import { envFileValues, parseEnvFile } from "../../src/config/env-file.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import { VARIABLES } from "../../src/config/variables.ts";
import { AUDIT_ACTIONS } from "../../src/audit/entry.ts";
import { FAULT_CODES } from "../../src/audit/verify/fault.ts";
import { CHECKS } from "../../src/doctor/check-result.ts";
import { WAIT_REASONS } from "../../src/events/waits.ts";
import { PROBLEMS } from "../../src/errors.ts";
import { HEX_SCHEME_NAMES, schemeOf } from "../../src/signature/schemes.ts";
import { schemaTooNew } from "../../src/store/schema-errors.ts";
import { configFiles } from "../support/config-file.ts";
import { OTHER_SECRET, SECRET } from "../support/fixtures.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { hexhook } from "../support/hexhook.ts";
import {
  anchors,
  codeBlocks,
  linkTargets,
  tableCells,
} from "../support/markdown.ts";

const read = (file: string): string =>
  readFileSync(path.join(ROOT, file), "utf8");

/** Returns the code in the first column of all tables of a text. */
function codeInFirstColumns(text: string): string[] {
  return [...text.matchAll(/^\| (`[^|]*`) +\|/gm)].flatMap(([, cell]) =>
    [...(cell ?? "").matchAll(/`([^`]+)`/g)].map(([, code]) => code!),
  );
}

/** Returns the code in the first column of the tables below a heading. */
function firstColumn(text: string, heading: string): string[] {
  const section = text.split(/^#+ /m).find((part) => part.startsWith(heading));
  return codeInFirstColumns(section ?? "");
}

const documentsIn = (folder: string): string[] =>
  readdirSync(path.join(ROOT, folder))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `${folder}/${name}`);

/** All documents for users, except the pages of senders: the README and those in docs. */
const DOCUMENTS = ["README.md", ...documentsIn("docs")];

const SENDER_PAGES = documentsIn("docs/sources");

const MAX_README_LINES = 120;
const MAX_CELL_LENGTH = 120;

const sorted = (names: Iterable<string>): string[] =>
  [...new Set(names)].sort();

/** Returns every name in the source files that a pattern captures. */
function inSources(pattern: RegExp): Set<string> {
  const found = new Set<string>();
  const visit = (folder: string): void => {
    for (const name of readdirSync(folder)) {
      const place = path.join(folder, name);
      if (statSync(place).isDirectory()) {
        visit(place);
      } else if (place.endsWith(".ts")) {
        for (const [, word] of readFileSync(place, "utf8").matchAll(pattern)) {
          found.add(word!);
        }
      }
    }
  };
  visit(path.join(ROOT, "src"));
  return found;
}

const variables = Object.entries(VARIABLES) as [
  string,
  { default?: string; secret?: true; reload?: true },
][];

const defaults = variables.flatMap(([name, definition]) =>
  definition.default === undefined ? [] : [[name, definition.default] as const],
);

describe("the documents", () => {
  it("list every variable in docs/configuration.md, and no other", () => {
    expect(sorted(codeInFirstColumns(read("docs/configuration.md")))).toEqual(
      sorted(Object.keys(VARIABLES)),
    );
  });

  it("list each variable once in docs/configuration.md", () => {
    const names = codeInFirstColumns(read("docs/configuration.md"));
    expect(names).toEqual([...new Set(names)]);
  });

  it("mark every secret in docs/configuration.md, and nothing else", () => {
    const marked = read("docs/configuration.md")
      .split("\n")
      .filter((line) => /^\|.*\| secrets?: /.test(line))
      .flatMap(codeInFirstColumns);
    const secrets = variables.flatMap(([name, { secret }]) =>
      secret ? [name] : [],
    );
    expect(sorted(marked)).toEqual(sorted(secrets));
  });

  it("give every default in docs/configuration.md", () => {
    const configuration = read("docs/configuration.md");
    for (const [name, value] of defaults) {
      const row = configuration
        .split("\n")
        .find((line) => line.startsWith("|") && line.includes(`\`${name}\``));
      expect(row).toContain(`\`${value}\``);
    }
  });

  it("give the default of SHUTDOWN_SECONDS, which depends on DRAIN_SECONDS", () => {
    const { drainSeconds, shutdownSeconds } = loadConfig({
      HEX_SECRET: SECRET,
    });
    const after = shutdownSeconds - drainSeconds;
    expect(read("docs/configuration.md")).toMatch(
      new RegExp(
        `^\\| \`SHUTDOWN_SECONDS\` +\\| \`DRAIN_SECONDS\` \\+ ${after} `,
        "m",
      ),
    );
    expect(read(".env.example")).toContain(
      `\n#SHUTDOWN_SECONDS=${shutdownSeconds}\n`,
    );
  });

  it("list every variable in .env.example, with _FILE for each secret, and no other", () => {
    const names = [...read(".env.example").matchAll(/^#?([A-Z_]+)=/gm)].map(
      ([, name]) => name!,
    );
    const expected = variables.flatMap(([name, definition]) =>
      definition.secret ? [name, `${name}_FILE`] : [name],
    );
    expect(sorted(names)).toEqual(sorted(expected));
  });

  it("give every default in .env.example, commented out", () => {
    const example = read(".env.example");
    for (const [name, value] of defaults) {
      expect(example).toContain(`\n#${name}=${value}\n`);
    }
  });

  it("give an example of .env that is valid apart from its shortened key", () => {
    const { entries, errors } = parseEnvFile(
      /^# a comment\n.*?(?=^```$)/ms.exec(read("docs/secrets.md"))![0],
    );
    expect(errors).toEqual([]);
    const { AUDIT_SIGNING_KEY, ...values } = envFileValues(entries);
    expect(AUDIT_SIGNING_KEY).toMatch(/^-----BEGIN.*\.\.\.\n-----END/s);
    expect(values["HEX_SECRET"]).toHaveLength(32);
    const { auditFile } = loadConfig(values);
    expect(auditFile).toBe("./audit log.jsonl");
  });

  it("list every variable that a reload applies in docs/secrets.md, and no other", () => {
    const [, list = ""] = read("docs/secrets.md").split("A reload applies:");
    const [applied = ""] = list.split("Any other variable");
    const names = [...applied.matchAll(/`([A-Z_]+)`/g)].map(([, n]) => n!);
    expect(sorted(names)).toEqual(
      sorted(variables.flatMap(([name, { reload }]) => (reload ? [name] : []))),
    );
  });

  it("list every error code with its status, and no other", () => {
    const errors = read("docs/errors.md");
    expect(sorted(firstColumn(errors, "Error codes"))).toEqual(
      sorted(Object.keys(PROBLEMS)),
    );
    for (const [code, { status }] of Object.entries(PROBLEMS)) {
      expect(errors).toMatch(
        new RegExp(`^\\| \`${code}\` +\\| ${status} `, "m"),
      );
    }
  });

  it("list every fault that audit verify finds, and no other", () => {
    const codes = firstColumn(
      read("docs/audit-reference.md"),
      "Codes of audit verify",
    );
    expect(codes.sort()).toEqual(sorted(FAULT_CODES));
  });

  it("list every reason for a rejection", () => {
    const errors = read("docs/errors.md");
    const reasons = new Set([
      ...inSources(/reason: "([a-z_]+)"/g),
      ...inSources(/new AppError\([^)]*, "([a-z_]+)"\)/g),
    ]);
    expect(reasons.size).toBeGreaterThan(10);
    for (const reason of reasons) {
      expect(errors).toContain(`\`${reason}\``);
    }
  });

  it("list every audit action, and no other, and the code writes each of them", () => {
    expect(
      sorted(firstColumn(read("docs/audit-reference.md"), "Audit entries")),
    ).toEqual(sorted(AUDIT_ACTIONS));
    const written = inSources(/(?:[a-z]+: |\()"([a-z]+\.[a-z_.]+)"/g);
    for (const action of AUDIT_ACTIONS) {
      expect([...written, "webhook.rejected"]).toContain(action);
    }
  });

  it("list every check of the doctor, and no other", () => {
    expect(
      sorted(firstColumn(read("docs/secrets.md"), "The checklist")),
    ).toEqual(sorted(Object.keys(CHECKS)));
  });

  it("list every command, and no other", async () => {
    const commandsOf = async (...parents: string[]): Promise<string[]> => {
      const { stdout } = await hexhook([...parents, "--help"], { cwd: ROOT });
      const list = stdout.split("Commands:\n")[1] ?? "";
      const names = [...list.matchAll(/^ {2}([a-z]+)/gm)].map(([, n]) => n!);
      const nested = await Promise.all(
        names
          .filter((name) => name !== "help")
          .map(async (name) => {
            const below = await commandsOf(...parents, name);
            return below.length > 0
              ? below
              : [["hexhook", ...parents, name].join(" ")];
          }),
      );
      return nested.flat();
    };
    expect(
      sorted(firstColumn(read("docs/commands.md"), "Command line")),
    ).toEqual(sorted(await commandsOf()));
  });

  it("list every path of the management API with its method, and no other", () => {
    const routes = new Set<string>();
    for (const file of [
      "event-routes",
      "redelivery-routes",
      "destination-routes",
      "audit-routes",
      "status-routes",
    ]) {
      const source = read(`src/http/admin/${file}.ts`);
      for (const [, place, method] of source.matchAll(
        /add\("([^"]+)", \{\s*(get|post):/g,
      )) {
        const known = place!.replace("*reference", ":id");
        routes.add(`${method!.toUpperCase()} /api${known}`);
      }
    }
    expect(routes.size).toBeGreaterThan(5);
    expect(sorted(firstColumn(read("docs/api.md"), "Paths"))).toEqual(
      sorted(routes),
    );
  });

  it("list every reason why a delivery waits, and no other", () => {
    expect(
      sorted(firstColumn(read("docs/api.md"), "What a delivery waits for")),
    ).toEqual(sorted(WAIT_REASONS));
  });

  it("give the default of onReplay for each scheme of Hex", () => {
    for (const { name, onReplay } of HEX_SCHEME_NAMES.map(schemeOf)) {
      expect(read("docs/sources/hex.md")).toMatch(
        new RegExp(`^\\| \`${name}\` .*\\| \`${onReplay}\` +\\|$`, "m"),
      );
    }
  });

  it("quote the error for a schema that is too new in docs/upgrading.md", () => {
    expect(read("docs/upgrading.md")).toContain(schemaTooNew(9, 8).message);
  });

  it("name only files that exist", () => {
    const text = [...DOCUMENTS, "CONTRIBUTING.md"].map(read).join("\n");
    const names = sorted(
      [...text.matchAll(/`((?:src|test|docs)\/[\w./-]+)`/g)].map(([, n]) => n!),
    );
    expect(names.length).toBeGreaterThan(10);
    for (const name of names) {
      expect([name, existsSync(path.join(ROOT, name))]).toEqual([name, true]);
    }
  });

  it.each([
    ...DOCUMENTS,
    ...SENDER_PAGES,
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
  ])("link to existing files and unambiguous headings: %s", (document) => {
    const broken = linkTargets(read(document)).filter((target) => {
      if (/^https?:/.test(target)) {
        return false;
      }
      const [file = "", anchor] = target.split("#");
      const linked =
        file === "" ? document : path.join(path.dirname(document), file);
      return !(
        existsSync(path.join(ROOT, linked)) &&
        (anchor === undefined ||
          anchors(read(linked)).filter((name) => name === anchor).length === 1)
      );
    });
    expect(broken).toEqual([]);
  });

  it.each([...DOCUMENTS, ...SENDER_PAGES])(
    "have short table cells: %s",
    (document) => {
      const long = tableCells(read(document)).filter(
        (cell) => cell.length > MAX_CELL_LENGTH,
      );
      expect(long).toEqual([]);
    },
  );

  it("are all linked from the README", () => {
    expect(linkTargets(read("README.md"))).toEqual(
      expect.arrayContaining(
        DOCUMENTS.filter((document) => document !== "README.md"),
      ),
    );
  });

  it("are all linked from docs/sources.md if they are pages of senders", () => {
    expect(
      linkTargets(read("docs/sources.md")).map((target) => `docs/${target}`),
    ).toEqual(expect.arrayContaining(SENDER_PAGES));
  });

  it("have a short README", () => {
    const lines = read("README.md").trimEnd().split("\n");
    expect(lines.length).toBeLessThanOrEqual(MAX_README_LINES);
  });

  it("have no comments in the README's commands, which an interactive zsh would pass on as arguments", () => {
    for (const commands of codeBlocks(read("README.md"), "sh")) {
      expect(commands).not.toMatch(/(?:^|\s)#/);
    }
  });

  it("begin the README with what Hexhook is, then the two commands", () => {
    const readme = read("README.md");
    const what = readme.indexOf("Hexhook is a webhook receiver");
    const demo = readme.indexOf("npm ci && npm run demo");
    const tests = readme.indexOf("npm ci && npm test");
    expect(what).toBeGreaterThan(0);
    expect(demo).toBeGreaterThan(what);
    expect(tests).toBeGreaterThan(demo);
  });
});

describe("the documents on the configuration file", () => {
  let folder: ReturnType<typeof temporaryFolder>;

  beforeEach(() => {
    folder = temporaryFolder();
  });

  const { secretFile, withFile, fileErrors } = configFiles(() => folder.path);

  it("give a valid example in docs/configuration-file.md", () => {
    const old = JSON.stringify(secretFile(OTHER_SECRET));
    const example = /```yaml\n(sources:\n.*?)```/s.exec(
      read("docs/configuration-file.md"),
    )?.[1];
    const { sources, destinations, warnings } = withFile(
      (example ?? "").replace("/run/secrets/hex-old", old),
      {
        TWILIO_TOKEN: "twilio-token-0123456789abcdef",
        BILLING_SECRET: "outbound-0123456789abcdef",
        BILLING_AUTHORIZATION: "Bearer 3f9c",
      },
    );
    expect(sources.map(({ name }) => name)).toEqual(["hex", "twilio"]);
    expect(destinations.map(({ name }) => name)).toEqual(["billing", "ci"]);
    expect(warnings).toEqual([]);
  });

  it("give a valid example in the README", () => {
    const [example = ""] = codeBlocks(read("README.md"), "yaml");
    const { sources, destinations, warnings } = withFile(example, {
      STRIPE_SECRET: "whsec_0123456789abcdef0123456789",
    });
    expect(sources.map(({ name }) => name)).toEqual(["hex", "stripe"]);
    expect(destinations.map(({ name }) => name)).toEqual([
      "billing",
      "archive",
    ]);
    expect(warnings).toEqual([]);
  });

  it("quote the error of an unknown key as it is printed", () => {
    const [fault] = fileErrors(
      'destinations: { ci: { handler: "build.*", event: x } }',
    );
    expect(read("docs/configuration-file.md")).toContain(
      `\nHEXHOOK_CONFIG: ${fault!}\n`,
    );
  });

  it("list every key of the file, and no other", () => {
    const [, sources = "", destinations = ""] = read(
      "docs/configuration-file.md",
    ).split(/^## (?:Sources|Destinations)$/m);
    const keysOf = (section: string): string[] =>
      [...section.matchAll(/^\| `(\w+)`/gm)].map(([, key]) => key!).sort();
    const known = (content: string): string[] =>
      fileErrors(content)[0]!.split("known keys are ")[1]!.split(", ").sort();
    // Without a scheme, the keys of all schemes are known.
    const [, everyKey = ""] = /\(keys: (.*)\)/.exec(
      fileErrors("sources: { s: 1 }")[0]!,
    )!;
    expect(keysOf(sources)).toEqual(everyKey.split(", ").sort());
    expect(keysOf(destinations.split("\n## ", 1)[0]!)).toEqual(
      known("destinations: { a: { url: 'http://a/', x: 1 } }"),
    );
  });
});
