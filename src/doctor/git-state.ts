import { asError } from "../errors.ts";
import { type Git, openGit } from "./git.ts";

/** The repository that a folder is in, null when it is in none, or why that cannot be told. */
export type GitState =
  | { readonly ok: true; readonly git: Git | null }
  | { readonly ok: false; readonly why: string };

export async function gitStateOf(folder: string): Promise<GitState> {
  try {
    return { ok: true, git: await openGit(folder) };
  } catch (thrown) {
    return { ok: false, why: asError(thrown).message };
  }
}
