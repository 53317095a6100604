import { hex, type Sample } from "./sample.ts";

export const PLAIN_SAMPLES = {
  hex: {
    type: "resource.created",
    newId: () => `evt_${hex(24)}`,
    content: {
      json: ({ id, type, at }) => ({
        id,
        type,
        createdAt: at.toISOString(),
        data: {
          id: `res_${hex(16)}`,
          name: "Berlin warehouse",
          status: "active",
          tags: ["storage", "eu"],
        },
      }),
    },
  },
  "standard-webhooks": {
    type: "invoice.paid",
    newId: () => `msg_${hex(26)}`,
    content: {
      json: ({ type, at }) => ({
        type,
        timestamp: at.toISOString(),
        data: {
          id: `inv_${hex(16)}`,
          customer: { name: "Ada Brandt", email: "ada@example.com" },
          amount: 4200,
          currency: "EUR",
        },
      }),
    },
  },
} as const satisfies Record<string, Sample>;
