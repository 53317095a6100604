import { hex, number, type Sample, seconds, uuid } from "./sample.ts";

/** Senders about chats, calls and mails. */
export const MESSAGING_SAMPLES = {
  slack: {
    type: "app_mention",
    newId: () => `Ev${hex(10).toUpperCase()}`,
    content: {
      json: ({ id, type, at }) => ({
        team_id: "T0ACME00000",
        api_app_id: "A0SHOP00000",
        event: {
          type,
          user: "U0ADA000000",
          text: "<@U0SHOP00000> how many orders today?",
          ts: `${seconds(at)}.${number(6)}`,
          channel: "C0ORDERS000",
          event_ts: `${seconds(at)}.${number(6)}`,
        },
        type: "event_callback",
        event_id: id,
        event_time: seconds(at),
      }),
    },
  },
  zoom: {
    type: "meeting.started",
    newId: uuid,
    content: {
      json: ({ type, at }) => ({
        event: type,
        event_ts: at.getTime(),
        payload: {
          account_id: hex(22),
          object: {
            id: String(number(11)),
            uuid: uuid(),
            host_id: hex(22),
            topic: "Stock review",
            type: 2,
            start_time: at.toISOString(),
            timezone: "Europe/Berlin",
          },
        },
      }),
    },
  },
  twilio: {
    type: "delivered",
    newId: () => `SM${hex(32)}`,
    content: {
      form: ({ id, type }) => ({
        AccountSid: `AC${"0".repeat(32)}`,
        ApiVersion: "2010-04-01",
        From: "+15005550006",
        MessageSid: id,
        MessageStatus: type,
        SmsSid: id,
        SmsStatus: type,
        To: "+15005550009",
      }),
    },
  },
  discord: {
    type: "APPLICATION_AUTHORIZED",
    newId: () => `1${number(12)}00000`,
    content: {
      json: ({ type, at }) => ({
        version: 1,
        application_id: "1234560123453231555",
        type: 1,
        event: {
          type,
          timestamp: at.toISOString(),
          data: {
            integration_type: 1,
            scopes: ["applications.commands"],
            user: { id: String(number(12)), username: "ada" },
          },
        },
      }),
    },
  },
  line: {
    type: "event",
    newId: () => `01${hex(24).toUpperCase()}`,
    content: {
      json: ({ at }) => ({
        destination: `U${"0".repeat(32)}`,
        events: [
          {
            type: "message",
            message: {
              type: "text",
              id: String(number(12)),
              text: "Is the tea in stock?",
            },
            webhookEventId: `01${hex(24).toUpperCase()}`,
            deliveryContext: { isRedelivery: false },
            timestamp: at.getTime(),
            source: { type: "user", userId: `U${hex(32)}` },
            replyToken: hex(32),
            mode: "active",
          },
        ],
      }),
    },
  },
  intercom: {
    type: "conversation.user.created",
    newId: () => `notif_${uuid()}`,
    content: {
      json: ({ id, type, at }) => ({
        type: "notification_event",
        app_id: "acme0000",
        id,
        topic: type,
        created_at: seconds(at),
        delivery_attempts: 1,
        data: {
          type: "notification_event_data",
          item: {
            type: "conversation",
            id: String(number(12)),
            source: { type: "conversation", body: "<p>Is it in stock?</p>" },
          },
        },
      }),
    },
  },
  sendgrid: {
    type: "delivered",
    newId: uuid,
    content: {
      json: ({ type, at }) => [
        {
          email: "ada@example.com",
          timestamp: seconds(at),
          "smtp-id": `<${hex(24)}@mail.example.com>`,
          event: type,
          category: ["orders"],
          sg_event_id: hex(22),
          sg_message_id: `${hex(22)}.recvd-0`,
          response: "250 OK",
        },
      ],
    },
  },
  mailgun: {
    type: "delivered",
    newId: () => hex(50),
    content: {
      json: ({ id, type, at }) => ({
        signature: {
          token: id,
          timestamp: String(seconds(at)),
          signature: "",
        },
        "event-data": {
          id: hex(22),
          event: type,
          timestamp: at.getTime() / 1000,
          recipient: "ada@example.com",
          message: { headers: { subject: "Your order", to: "Ada Brandt" } },
          "delivery-status": { code: 250, message: "OK" },
        },
      }),
    },
  },
  meta: {
    type: "messages",
    newId: uuid,
    content: {
      json: ({ type, at }) => ({
        object: "whatsapp_business_account",
        entry: [
          {
            id: String(number(12)),
            changes: [
              {
                field: type,
                value: {
                  messaging_product: "whatsapp",
                  messages: [
                    {
                      from: "15005550006",
                      id: `wamid.${hex(32)}`,
                      timestamp: String(seconds(at)),
                      type: "text",
                      text: { body: "Is the tea in stock?" },
                    },
                  ],
                },
              },
            ],
          },
        ],
      }),
    },
  },
  twitch: {
    type: "notification",
    newId: uuid,
    content: {
      json: ({ at }) => ({
        subscription: {
          id: uuid(),
          status: "enabled",
          type: "channel.follow",
          version: "2",
          cost: 0,
          condition: { broadcaster_user_id: "1337" },
          created_at: at.toISOString(),
        },
        event: {
          user_id: String(number(6)),
          user_login: "ada",
          user_name: "Ada",
          broadcaster_user_id: "1337",
          followed_at: at.toISOString(),
        },
      }),
    },
  },
} as const satisfies Record<string, Sample>;
