import { asError } from "../errors.ts";
import { type Git, type GitPlace, openGit } from "./git.ts";

/** The repository that contains a directory (null = none), or the reason why git cannot read it. */
export type GitState =
  | { readonly ok: true; readonly git: Git | null }
  | { readonly ok: false; readonly why: string };

export async function gitStateOf(place: GitPlace): Promise<GitState> {
  try {
    return { ok: true, git: await openGit(place) };
  } catch (thrown) {
    return { ok: false, why: asError(thrown).message };
  }
}
