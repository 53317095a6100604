import { userInfo } from "node:os";
import { InvalidArgumentError, Option } from "commander";
import { isOperatorName } from "../../domain/operator-name.ts";

/** `--as NAME`: the operator's name in the audit trail. */
export function operatorOption(): Option {
  return new Option(
    "--as <name>",
    "your name in the audit trail (default: your user name)",
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

/** Returns the name of the user that runs the command. Returns `unknown` if the user has no name, as in some containers. */
export function defaultOperator(): string {
  try {
    const { username } = userInfo();
    return isOperatorName(username) ? username : "unknown";
  } catch {
    return "unknown";
  }
}
