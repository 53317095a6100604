/** The bearer token of services that tests start with `ADMIN_TOKEN`. */
export const ADMIN_TOKEN = "test-admin-token-0123456789abcdef";

export interface Json {
  readonly [name: string]: unknown;
}

/** Calls the management API of a service. */
export async function callAdmin(
  service: { readonly adminPort: number | null },
  method: string,
  target: string,
  body?: unknown,
): Promise<{ status: number; json: Json }> {
  const response = await fetch(
    `http://127.0.0.1:${service.adminPort}${target}`,
    {
      method,
      headers: {
        authorization: `Bearer ${ADMIN_TOKEN}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    },
  );
  return {
    status: response.status,
    json: JSON.parse(await response.text()) as Json,
  };
}
