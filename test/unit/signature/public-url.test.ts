import { expect, it } from "@jest/globals";
import { decodeUrl } from "../../../src/signature/public-url.ts";

it("decodes the characters of a URL that HubSpot decodes, and no others", () => {
  expect(
    decodeUrl(
      "https://h.example/x?a=%3A%2f%3F%40%21%24%27%28%29%2A%2C%3B&b=%20%25%26%3D%C3%9F",
    ),
  ).toBe("https://h.example/x?a=:/?@!$'()*,;&b=%20%25%26%3D%C3%9F");
});
