import { userInfo } from "node:os";
import { InvalidArgumentError, Option } from "commander";
import { isOperatorName } from "../../domain/operator-name.ts";

/** `--as NAME`: who a command is said to be run by. */
export function operatorOption(): Option {
  return new Option(
    "--as <name>",
    "your name in the audit trail (default: this user's)",
  ).argParser(parseOperator);
}

function parseOperator(text: string): string {
  if (!isOperatorName(text)) {
    throw new InvalidArgumentError(
      "It must be 1 to 64 letters, digits or . _ - @ + :",
    );
  }
  return text;
}

/** The user that runs the command; a container may have no name for it. */
export function defaultOperator(): string {
  try {
    const { username } = userInfo();
    return isOperatorName(username) ? username : "unknown";
  } catch {
    return "unknown";
  }
}
