import { describe, expect, it } from "@jest/globals";
import { readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { inProject, ROOT } from "../support/project.ts";

/** A phrase that must not be used in this project, and what to write instead. */
interface Rule {
  /** A space in the pattern also matches a line break inside a comment or a paragraph. */
  readonly phrase: RegExp;
  readonly instead: string;
  /** A sentence with the phrase. */
  readonly wrong: string;
  /** A similar sentence without it. */
  readonly right: string;
}

const RULES: readonly Rule[] = [
  {
    phrase:
      /\b(?:is|are|was|were|be|been|being|gets?) told\b(?! apart)|\btold of\b/i,
    instead: "reported, logged, notified; for exit code 2: undecidable",
    wrong: "A sink that fails again is told of.",
    right: "The two cases cannot be told apart.",
  },
  {
    phrase: /\b(?:it|that|which|and|never|only|what) tells? of\b/i,
    instead: "reports, says",
    wrong: "The service goes down, and tells of it.",
    right: "for (const tell of waiting) {",
  },
  {
    phrase:
      /\bbr(?:ought|ings?) (?:home\b|(?:\w+ )?to (?:nobody|(?:its|a|the|no|each|your) (?:destination|handler)))/i,
    instead: "delivered to",
    wrong: "Events are stored and brought to no destination.",
    right: "It brings the schema up to date.",
  },
  {
    phrase: /\b(?:in|into) force\b/i,
    instead: "current, applied",
    wrong: "The old key stays in force.",
    right: "The attacker tries keys by brute force.",
  },
  {
    phrase: /\bline end\b/i,
    instead: "newline",
    wrong: "One line end after the secret is ignored.",
    right: "Each line ends with a newline.",
  },
  {
    phrase: /\bblanks\b/i,
    instead: "spaces",
    wrong: "It removes blanks around the value.",
    right: "It sends only blank lines.",
  },
  {
    phrase: /\b[Uu]nder way\b|\b[Uu]nderway\b/,
    instead: "in flight (attempts), in progress (everything else)",
    wrong: "An attempt is under way.",
    right: "An attempt is in flight.",
  },
  {
    phrase: /\bso many\b(?!(?: \w+){0,2} that\b)/i,
    instead: "maximum, limit, the number of",
    wrong: "It holds so many entries at most.",
    right: "There are so many of them that the query is slow.",
  },
  {
    phrase: /\bso far as\b|\bwhatever it is at\b|\bwhere there is one\b/i,
    instead: "as far as; name the states; if any",
    wrong: "It uses the reason of the caller, where there is one.",
    right: "It has come so far that it can stop.",
  },
  {
    phrase:
      /\b(?:goes|went) on(?=[.,;:)]| (?:as|with|after|from|until|till|while|and|where|once|without|for ever)\b)/i,
    instead: "resumes, continues",
    wrong: "The sink goes on where it was.",
    right: "The request goes on the next connection.",
  },
  {
    phrase: /\btak(?:es?|en) up again\b|\btakes up (?:what|where)\b/i,
    instead: "resumes, picks up",
    wrong: "A restart takes up what was left.",
    right: "The trail takes up 2 MB.",
  },
  {
    phrase: /\b(?:stands?|comes?|(?:is|are) there) twice\b/i,
    instead: "is a duplicate",
    wrong: "A header that comes twice is an error.",
    right: "A header that is sent twice is rejected.",
  },
  {
    phrase: /\bput(?:s|ting)? down to\b/i,
    instead: "attributed to",
    wrong: "The damage is put down to its neighbour.",
    right: "It shuts down to apply the change.",
  },
  {
    phrase: /(?<!["/])\b(?:nobody|somebody|whoever)\b(?!["/])/i,
    instead: "no process, a caller, any client, an operator",
    wrong: "The log is read by nobody.",
    right: 'redeliver("evt_1", "nobody")',
  },
  {
    phrase: /\bfor good\b(?! (?:reasons?|measure)\b)/i,
    instead: "permanently",
    wrong: "The sink has failed for good.",
    right: "The default is low for good reason.",
  },
  {
    phrase: /\bwithout end\b/i,
    instead: "indefinitely",
    wrong: "The log must not grow without end.",
    right: "It grows without ending any session.",
  },
  {
    phrase: /\bin (?:one's|its|their) own words\b/i,
    instead: "separately",
    wrong: "Each part says so in its own words.",
    right: "The operator describes the change in a few words.",
  },
  {
    phrase: /\bmend(?:s|ed|ing)?\b/i,
    instead: "fix, repair",
    wrong: "The torn line is mended.",
    right: "The torn line is amended.",
  },
  {
    phrase: /\bin good order\b/i,
    instead: "normally, cleanly",
    wrong: "The service stopped in good order.",
    right: "The entries are in order.",
  },
  {
    phrase:
      /\bconfiguration faults?\b|\bfaults? (?:of|in) the configuration\b/i,
    instead: "configuration error",
    wrong: "A missing secret is a fault of the configuration.",
    right: "A missing secret is a configuration error.",
  },
  {
    phrase: /\b(?:mild|grave) suspects?\b/i,
    instead: "delivery that crashed once, delivery that crashed repeatedly",
    wrong: "A grave suspect runs alone.",
    right: "A delivery that crashed repeatedly runs alone.",
  },
  {
    phrase: /\bgives? (?:it |them )?back\b|\bgiven back\b/i,
    instead: "returns, releases",
    wrong: "It reads the value and gives it back.",
    right: "It gives backups a mode of 0600.",
  },
  {
    phrase:
      /\b(?:process|thread|directory|folder|connection|writer|delivery) of (?:its|their|one's) own\b/i,
    instead: "a separate …, its own …",
    wrong: "The command runs in a process of its own.",
    right: "The worker is not notified of its own claim.",
  },
];

/** Metaphors in names of files and exports, with a better name for each. */
const METAPHORS: Readonly<Record<string, string>> = {
  alarm: "interruptible-sleep",
  periodic: "interval",
  gate: "request-validation",
  "log-mover": "wal-checkpointer",
  "in-steps": "batches",
  "settle-surely": "settle-with-retry",
  "attempt-within": "attempt-timeout",
  feeder: "sink-pump",
  reprint: "duplicate",
  reprints: "duplicates",
  blame: "attribution",
  "known-entries": "expected-heads",
  "walk-events": "paginate",
  "refusal-budget": "rate-limiter",
  "refusal-entries": "audit-limiter",
  "entry-budget": "audit-limiter",
  "budgeted-entries": "audit-limiter",
};

/** Not read: this file, other people's code, and migrations, which must not change once they were applied. */
const SKIPPED = [
  "node_modules",
  "coverage",
  "test/project/language.test.ts",
  "src/store/sqlite/migrations",
];

const IS_TEXT = /\.(?:ts|mjs|cjs|js|c|py|sh|md|yml|yaml)$|^Dockerfile$/;

/** Returns the text files in a directory of the project, by their paths from its root. */
function textFiles(directory: string): string[] {
  return readdirSync(inProject(directory)).flatMap((name) => {
    const file = path.join(directory, name);
    if (SKIPPED.includes(name) || SKIPPED.includes(file)) {
      return [];
    }
    return statSync(inProject(file)).isDirectory()
      ? textFiles(file)
      : IS_TEXT.test(name)
        ? [file]
        : [];
  });
}

const FILES = [
  ...["src", "test", "docs", "bench", "scripts", "deploy"].flatMap(textFiles),
  ...readdirSync(ROOT).filter((name) => IS_TEXT.test(name)),
  ".env.example",
  ".ci/run",
];

const read = (file: string): string => readFileSync(inProject(file), "utf8");

/** White space, also with a line break and the beginning of a comment's next line. */
const GAP = String.raw`\s+(?:(?:\*|//|#)\s+)?`;

/** Returns the places of a phrase in a text: the number of the line and the words. */
function placesOf(
  phrase: RegExp,
  text: string,
): { at: number; words: string }[] {
  const pattern = new RegExp(
    phrase.source.replaceAll(" ", GAP),
    `g${phrase.flags}`,
  );
  return [...text.matchAll(pattern)].map(({ 0: words, index }) => ({
    at: text.slice(0, index).split("\n").length,
    words: words.replaceAll(new RegExp(GAP, "g"), " "),
  }));
}

const kebabCase = (name: string): string =>
  name.replaceAll(/(?<=[a-z\d])(?=[A-Z])/g, "-").toLowerCase();

/** Returns the metaphor in a name, if any. */
const metaphorIn = (name: string): string | undefined =>
  Object.keys(METAPHORS).find((metaphor) =>
    `-${kebabCase(name)}-`.includes(`-${metaphor}-`),
  );

describe("the language of the project", () => {
  it.each(RULES)(
    "is checked for the phrase in: $wrong",
    ({ phrase, wrong, right }) => {
      expect(placesOf(phrase, wrong)).toHaveLength(1);
      expect(placesOf(phrase, wrong.replaceAll(" ", "\n * "))).toHaveLength(1);
      expect(placesOf(phrase, right)).toEqual([]);
    },
  );

  it("uses none of the phrases", () => {
    const found = FILES.flatMap((file) => {
      const text = read(file);
      return RULES.flatMap(({ phrase, instead }) =>
        placesOf(phrase, text).map(({ at, words }) => ({
          at,
          shown: `${file}:${at}: “${words}”: write ${instead}`,
        })),
      ).sort((one, other) => one.at - other.at);
    });
    expect(found.map(({ shown }) => shown)).toEqual([]);
  });

  it("is checked for metaphors in names", () => {
    expect(
      ["createFeeder", "log-mover", "RefusalBudget"].map(metaphorIn),
    ).toEqual(["feeder", "log-mover", "refusal-budget"]);
    expect(["aggregate", "investigateGap"].map(metaphorIn)).toEqual([
      undefined,
      undefined,
    ]);
  });

  it("has no metaphors in the names of files and exports", () => {
    const found = FILES.filter((file) => /\.(?:ts|mjs)$/.test(file)).flatMap(
      (file) => {
        const exported = read(file).matchAll(
          /^export (?:async )?(?:function|const|class|interface|type) (\w+)/gm,
        );
        return [
          path.basename(file).replace(/\..*$/, ""),
          ...[...exported].map(([, name]) => name!),
        ].flatMap((name) => {
          const metaphor = metaphorIn(name);
          return metaphor === undefined
            ? []
            : [`${file}: ${name}: write ${METAPHORS[metaphor]!}`];
        });
      },
    );
    expect(found).toEqual([]);
  });
});

describe("the messages of the operational log", () => {
  /** Every string in the code of the log that has several words: the messages and the hints beside them. */
  const messages = FILES.filter(
    (file) => path.dirname(file) === path.join("src", "telemetry"),
  ).flatMap((file) =>
    [...read(file).matchAll(/"([A-Za-z][^"\n]* [^"\n]*)"/g)].map(
      ([, message]) => message!,
    ),
  );

  it("are found by this test", () => {
    expect(messages).toContain("circuit breaker opened");
    expect(messages.length).toBeGreaterThan(25);
  });

  it("begin in lower case, have at most eight words and no full stop", () => {
    expect(
      messages.filter(
        (message) =>
          !/^[a-z]/.test(message) ||
          message.endsWith(".") ||
          message.split(" ").length > 8,
      ),
    ).toEqual([]);
  });
});
