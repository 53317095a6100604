import { Argument, type Command } from "commander";
import { bashScript } from "../completion/bash.ts";
import { fishScript } from "../completion/fish.ts";
import { completedCommands } from "../completion/tree.ts";
import { zshScript } from "../completion/zsh.ts";
import { type Io, writeLine } from "../io.ts";

const SCRIPTS = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
} as const;

const SHELLS = Object.keys(SCRIPTS) as (keyof typeof SCRIPTS)[];

export function addCompletion(program: Command, io: Io): void {
  program
    .command("completion")
    .description(
      "print a script that completes commands and options in a shell",
    )
    .addArgument(new Argument("<shell>", "the shell").choices(SHELLS))
    .addHelpText(
      "after",
      `
Save the script where the shell looks for it, then start a new shell. Save it
again after an upgrade.
  bash  with the package bash-completion:
        ~/.local/share/bash-completion/completions/hexhook
  zsh   _hexhook in a folder of fpath, before compinit runs
  fish  ~/.config/fish/completions/hexhook.fish
To try it in this shell: source <(hexhook completion bash)`,
    )
    .action((shell: keyof typeof SCRIPTS) => {
      const script = SCRIPTS[shell](completedCommands(program));
      writeLine(io.stdout, script.trimEnd());
    });
}
