import { hex, number, type Sample, seconds, uuid } from "./sample.ts";

/** Senders about payments and shops. */
export const COMMERCE_SAMPLES = {
  stripe: {
    type: "invoice.paid",
    newId: () => `evt_1${hex(22)}`,
    content: {
      json: ({ id, type, at }) => ({
        id,
        object: "event",
        api_version: "2025-09-30.clover",
        created: seconds(at),
        type,
        livemode: false,
        pending_webhooks: 1,
        request: { id: null, idempotency_key: null },
        data: {
          object: {
            id: `in_1${hex(22)}`,
            object: "invoice",
            customer: `cus_${hex(14)}`,
            customer_email: "ada@example.com",
            amount_paid: 4200,
            currency: "eur",
            status: "paid",
          },
        },
      }),
    },
  },
  shopify: {
    type: "orders/create",
    newId: uuid,
    content: {
      json: ({ at }) => ({
        id: number(13),
        name: `#${number(4)}`,
        email: "ada@example.com",
        created_at: at.toISOString(),
        currency: "EUR",
        financial_status: "paid",
        total_price: "42.00",
        line_items: [
          { id: number(13), title: "Tea, 200 g", quantity: 2, price: "21.00" },
        ],
        customer: { id: number(13), first_name: "Ada", last_name: "Brandt" },
      }),
    },
  },
  paddle: {
    type: "transaction.completed",
    newId: () => `evt_01${hex(24)}`,
    content: {
      json: ({ id, type, at }) => ({
        event_id: id,
        event_type: type,
        occurred_at: at.toISOString(),
        notification_id: `ntf_01${hex(24)}`,
        data: {
          id: `txn_01${hex(24)}`,
          status: "completed",
          customer_id: `ctm_01${hex(24)}`,
          currency_code: "EUR",
          details: { totals: { total: "4200", tax: "671" } },
        },
      }),
    },
  },
  square: {
    type: "payment.updated",
    newId: uuid,
    content: {
      json: ({ id, type, at }) => ({
        merchant_id: hex(12).toUpperCase(),
        type,
        event_id: id,
        created_at: at.toISOString(),
        data: {
          type: "payment",
          id: hex(24),
          object: {
            payment: {
              id: hex(24),
              status: "COMPLETED",
              amount_money: { amount: 4200, currency: "EUR" },
            },
          },
        },
      }),
    },
  },
  woocommerce: {
    type: "order.created",
    newId: () => hex(32),
    content: {
      json: ({ at }) => ({
        id: number(5),
        number: String(number(5)),
        status: "processing",
        currency: "EUR",
        date_created: at.toISOString().slice(0, 19),
        total: "42.00",
        billing: {
          first_name: "Ada",
          last_name: "Brandt",
          email: "ada@example.com",
        },
        line_items: [{ id: number(4), name: "Tea, 200 g", quantity: 2 }],
      }),
    },
  },
  razorpay: {
    type: "payment.captured",
    newId: () => hex(14),
    content: {
      json: ({ type, at }) => ({
        entity: "event",
        account_id: `acc_${hex(14)}`,
        event: type,
        contains: ["payment"],
        payload: {
          payment: {
            entity: {
              id: `pay_${hex(14)}`,
              entity: "payment",
              amount: 420000,
              currency: "INR",
              status: "captured",
              method: "upi",
            },
          },
        },
        created_at: seconds(at),
      }),
    },
  },
  gocardless: {
    type: "event",
    newId: () => `EV${hex(12).toUpperCase()}`,
    content: {
      json: ({ at }) => ({
        events: [
          {
            id: `EV${hex(12).toUpperCase()}`,
            created_at: at.toISOString(),
            resource_type: "payments",
            action: "confirmed",
            links: { payment: `PM${hex(12).toUpperCase()}` },
            details: {
              origin: "gocardless",
              cause: "payment_confirmed",
              description: "The payment was collected.",
            },
          },
        ],
        meta: { webhook_id: `WB${hex(12).toUpperCase()}` },
      }),
    },
  },
  "coinbase-commerce": {
    type: "charge:confirmed",
    newId: uuid,
    content: {
      json: ({ id, type, at }) => ({
        attempt_number: 1,
        event: {
          api_version: "2018-03-22",
          created_at: at.toISOString(),
          data: {
            code: hex(8).toUpperCase(),
            name: "Tea subscription",
            pricing_type: "fixed_price",
            pricing: { local: { amount: "42.00", currency: "EUR" } },
          },
          id,
          resource: "event",
          type,
        },
        id: uuid(),
        scheduled_for: at.toISOString(),
      }),
    },
  },
  xero: {
    type: "event",
    newId: uuid,
    content: {
      json: ({ at }) => ({
        events: [
          {
            resourceUrl: `https://api.xero.com/api.xro/2.0/Invoices/${uuid()}`,
            resourceId: uuid(),
            eventDateUtc: at.toISOString().slice(0, 23),
            eventType: "UPDATE",
            eventCategory: "INVOICE",
            tenantId: uuid(),
            tenantType: "ORGANISATION",
          },
        ],
        firstEventSequence: number(4),
        lastEventSequence: number(4),
        entropy: hex(20).toUpperCase(),
      }),
    },
  },
} as const satisfies Record<string, Sample>;
