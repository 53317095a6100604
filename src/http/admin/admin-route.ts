import type { RequestHandler, Router } from "express";
import { methodNotAllowed } from "../../errors.ts";

/** Adds a path of the management API with a handler for each method. Every other method gets 405. */
export type AddRoute = (
  path: string,
  methods: { readonly get?: RequestHandler; readonly post?: RequestHandler },
) => void;

export function createAddRoute(router: Router): AddRoute {
  return (path, { get, post }) => {
    const route = router.route(path);
    if (get !== undefined) {
      route.get(get);
    }
    if (post !== undefined) {
      route.post(post);
    }
    const allow = [
      ...(get === undefined ? [] : ["GET", "HEAD"]),
      ...(post === undefined ? [] : ["POST"]),
    ].join(", ");
    route.all(() => {
      throw methodNotAllowed(allow);
    });
  };
}
