import type { Command } from "commander";
import { loadHexApi, readEnvironment } from "../../config/load-config.ts";
import type { HexApiConfig, HexKey } from "../../config/hex-api.ts";
import type { Store } from "../../store/port.ts";
import { displayOf } from "../../terminal/display.ts";
import { wrapText } from "../../terminal/terminal-text.ts";
import { ConfigError, EXIT } from "../../errors.ts";
import { HexApiError } from "../../hex-api/hex-error.ts";
import { proveKey } from "../../hex-api/prove-key.ts";
import { commandClientOptions } from "../hex-client.ts";
import { operatorOption, defaultOperator } from "../options/operator.ts";
import { withOperatorStore } from "../store/operator-store.ts";
import { type Io, writeLine } from "../io.ts";

interface Options {
  readonly as?: string;
  readonly json?: true;
}

/** Whether the API accepts a key. */
interface Verdict {
  readonly key: HexKey;
  readonly error: HexApiError | null;
}

export function addKeysCheck(keys: Command, io: Io): void {
  keys
    .command("check")
    .description("check whether the Hex API accepts each key (GET /health)")
    .addOption(operatorOption())
    .option("--json", "print one JSON object a line")
    .addHelpText(
      "after",
      "\nEach call needs the scope read:health and is audited.\nExit status: 0 all keys are accepted, 1 a key is rejected or cannot be\nchecked, 78 no key is set.",
    )
    .action(async (options: Options) => {
      const config = loadHexApi(readEnvironment(io.env));
      if (config.keys.length === 0) {
        throw new ConfigError([
          "HEX_READ_KEY: no key of the Hex API is set (HEX_API_KEY, HEX_READ_KEY, HEX_WRITE_KEY)",
        ]);
      }
      const operator = options.as ?? defaultOperator();
      const verdicts = await withOperatorStore(
        io,
        { command: "keys check", operator },
        (store) => check(config, store, operator),
        { create: true },
      );
      if (verdicts.some(({ error }) => error !== null)) {
        io.setExitCode(EXIT.checkFailed);
      }
      const width = displayOf(io.stdout, io.env).width();
      for (const verdict of verdicts) {
        writeLine(
          io.stdout,
          options.json
            ? JSON.stringify(asJson(verdict))
            : wrapText(asText(verdict, config.apiUrl), width).join("\n"),
        );
      }
    });
}

async function check(
  config: HexApiConfig,
  store: Store,
  operator: string,
): Promise<Verdict[]> {
  const client = commandClientOptions(config, store, operator);
  const verdicts: Verdict[] = [];
  for (const key of config.keys) {
    try {
      await proveKey(client, key.value);
      verdicts.push({ key, error: null });
    } catch (thrown) {
      if (!(thrown instanceof HexApiError)) {
        throw thrown;
      }
      verdicts.push({ key, error: thrown });
    }
  }
  return verdicts;
}

function asText({ key, error }: Verdict, apiUrl: string): string {
  const name = `${key.variable.padEnd(13)} ${key.keyId}`;
  return error === null
    ? `${name}  ok: ${new URL(apiUrl).origin} accepts it`
    : `${name}  FAILED: ${error.message}${adviceFor(error)}`;
}

function asJson({ key: { variable, keyId }, error }: Verdict): object {
  return {
    variable,
    keyId,
    ok: error === null,
    ...(error === null ? {} : { reason: error.reason, status: error.status }),
  };
}

function adviceFor({ status }: HexApiError): string {
  return status === 401 || status === 403
    ? "; the key is revoked, or belongs to another environment: create a new one in the Hex dashboard, then run `hexhook keys rotate`"
    : "";
}
