import { describe, expect, it } from "@jest/globals";
import { listeningText } from "../../../src/cli/ui/listening-text.ts";

const source = (name: string, settings: object = {}) => ({
  name,
  publicUrl: null,
  isDisabled: false,
  ...settings,
});

describe("the address that a service shows", () => {
  it("is one line for one source, with its public address", () => {
    expect(
      listeningText(
        {
          host: "::1",
          adminHost: "127.0.0.1",
          sources: [
            source("hex", { publicUrl: "https://hooks.example.com/in" }),
            source("old", { isDisabled: true }),
          ],
        },
        { port: 3000, adminPort: 3001 },
      ),
    ).toBe(
      "Listening on http://[::1]:3000/webhooks/hex (public: https://hooks.example.com/in, management: http://127.0.0.1:3001)",
    );
  });

  it("is a line for each of several sources that are not disabled", () => {
    expect(
      listeningText(
        {
          host: "0.0.0.0",
          adminHost: "127.0.0.1",
          sources: [
            source("hex"),
            source("twilio", { publicUrl: "https://hooks.example.com/twilio" }),
            source("old", { isDisabled: true }),
          ],
        },
        { port: 3000, adminPort: null },
      ).split("\n"),
    ).toEqual([
      "Listening on http://0.0.0.0:3000",
      "  hex: http://0.0.0.0:3000/webhooks/hex",
      "  twilio: https://hooks.example.com/twilio",
    ]);
  });
});
