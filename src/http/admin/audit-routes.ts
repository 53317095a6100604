import { setImmediate as nextTurn } from "node:timers/promises";
import type { RequestHandler } from "express";
import { z } from "zod";
import { isKnownAction, RESULTS } from "../../audit/search/entry-filter.ts";
import { createTrailSearch } from "../../audit/search/search-trail.ts";
import type { AuditReader } from "../../store/port.ts";
import type { AddRoute } from "./admin-route.ts";
import { respondJsonText } from "../json-response.ts";
import { createAuditStream } from "./audit-stream.ts";
import { listMembers, timeOf } from "./list-input.ts";
import { checkInput } from "./read-input.ts";

export interface AuditRoutesDeps {
  readonly store: AuditReader;
  readonly now: () => number;
  /** Aborts when all streams must end. */
  readonly ending: AbortSignal;
}

/** Maximum number of search steps for one response. `next` of the response continues the search. */
const MAX_STEPS = 100;

const filterMembers = {
  since: z.string().optional(),
  action: z
    .string()
    .max(128)
    .refine(
      isKnownAction,
      "unknown action; docs/audit-reference.md lists all actions",
    )
    .optional(),
  result: z.enum(RESULTS).optional(),
  source: z.string().max(64).optional(),
  event: z.string().max(512).optional(),
};

const listInput = z.strictObject({
  ...filterMembers,
  ...listMembers,
  until: z.string().optional(),
});
const streamInput = z.strictObject(filterMembers);

export function addAuditRoutes(add: AddRoute, deps: AuditRoutesDeps): void {
  const { store, now } = deps;
  const follow = createAuditStream(deps);

  const list: RequestHandler = async (req, res) => {
    const { limit, cursor, ...input } = checkInput(req.query, listInput);
    const filter = {
      ...input,
      since: timeOf("since", input, now()),
      until: timeOf("until", input, now()),
    };
    const search = await createTrailSearch(store, filter);
    const lines: string[] = [];
    let from = cursor ?? null;
    let steps = 0;
    do {
      const step = await search.step({
        order: "newest",
        from,
        limit: limit - lines.length,
      });
      lines.push(...step.found.map(({ row }) => row.line));
      from = step.next;
      steps += 1;
      // A long search must not delay responses to senders.
      await nextTurn();
    } while (from !== null && lines.length < limit && steps < MAX_STEPS);
    const next = from === null ? "null" : `"${from}"`;
    // The lines are sent unchanged, because the hash of an entry covers its exact text.
    respondJsonText(res, 200, `{"entries":[${lines.join()}],"next":${next}}`);
  };

  const stream: RequestHandler = async (req, res) => {
    const input = checkInput(req.query, streamInput);
    await follow(req, res, { ...input, since: timeOf("since", input, now()) });
  };

  add("/audit", {
    get: (req, res, next) =>
      req.accepts(["application/json", "text/event-stream"]) ===
      "text/event-stream"
        ? stream(req, res, next)
        : list(req, res, next),
  });
  add("/audit/stream", { get: stream });
}
