// Writes the pages in docs/sources and the table of senders in docs/sources.md, from docs/sources/senders.json and the schemes.
// node scripts/source-pages.mjs [--check]: with --check it writes nothing, and exits with 1 if a page is not up to date.
import {
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { importSource } from "./import-source.mjs";
import { table } from "./markdown.mjs";
import { sourcePage } from "./source-page.mjs";

process.chdir(path.join(import.meta.dirname, ".."));
const { tokenScheme } = await importSource("signature/custom-scheme.ts");
const { schemeOf } = await importSource("signature/schemes.ts");

const FOLDER = "docs/sources";
const OVERVIEW = "docs/sources.md";
const GENERATED_PART = /(?<=<!-- senders -->\n).*?(?=<!-- \/senders -->)/s;

const schemeFor = ({ scheme, tokenHeader }) =>
  tokenHeader === undefined
    ? schemeOf(scheme)
    : tokenScheme({ header: tokenHeader });

/** Returns the table of all senders, in the order of their titles. */
function sendersTable(senders) {
  return table(
    ["sender", "`scheme`", "its event id"],
    [...senders]
      .sort((one, other) => one.title.localeCompare(other.title, "en"))
      .map((sender) => {
        const { id } = schemeFor(sender);
        return [
          `[${sender.title}](sources/${sender.name}.md)`,
          `\`${sender.scheme}\``,
          id.from === null ? "none" : id.isSigned ? "signed" : "not signed",
        ];
      }),
  );
}

const { checked, senders, handWritten } = JSON.parse(
  readFileSync(`${FOLDER}/senders.json`, "utf8"),
);
const texts = new Map([
  ...senders.map((sender) => [
    `${FOLDER}/${sender.name}.md`,
    sourcePage(sender, schemeFor(sender), checked),
  ]),
  [
    OVERVIEW,
    readFileSync(OVERVIEW, "utf8").replace(
      GENERATED_PART,
      () => `\n${sendersTable(senders)}\n\n`,
    ),
  ],
]);
const outdated = [...texts].filter(
  ([file, text]) => !existsSync(file) || readFileSync(file, "utf8") !== text,
);
const kept = [...senders, ...handWritten].map(({ name }) => `${name}.md`);
const surplus = readdirSync(FOLDER)
  .filter((name) => name.endsWith(".md") && !kept.includes(name))
  .map((name) => `${FOLDER}/${name}`);

if (process.argv.includes("--check")) {
  for (const file of [...outdated.map(([name]) => name), ...surplus]) {
    console.error(`${file} is outdated: run node scripts/source-pages.mjs`);
    process.exitCode = 1;
  }
} else {
  outdated.forEach(([file, text]) => {
    writeFileSync(file, text);
  });
  surplus.forEach((file) => {
    rmSync(file);
  });
}
