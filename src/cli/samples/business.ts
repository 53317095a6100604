import { hex, number, type Sample, uuid } from "./sample.ts";

/** Senders about documents, forms, appointments and customers. */
export const BUSINESS_SAMPLES = {
  typeform: {
    type: "form_response",
    newId: () => `01${hex(24).toUpperCase()}`,
    content: {
      json: ({ id, type, at }) => ({
        event_id: id,
        event_type: type,
        form_response: {
          form_id: "acmeForm",
          token: hex(32),
          submitted_at: at.toISOString(),
          definition: { id: "acmeForm", title: "How was your order?" },
          answers: [
            {
              type: "number",
              number: 9,
              field: { id: hex(12), type: "opinion_scale" },
            },
          ],
        },
      }),
    },
  },
  docusign: {
    type: "envelope-completed",
    newId: uuid,
    content: {
      json: ({ type, at }) => ({
        event: type,
        apiVersion: "v2.1",
        uri: `/restapi/v2.1/accounts/${uuid()}/envelopes/${uuid()}`,
        retryCount: 0,
        configurationId: number(8),
        generatedDateTime: at.toISOString(),
        data: {
          accountId: uuid(),
          userId: uuid(),
          envelopeId: uuid(),
          envelopeSummary: {
            status: "completed",
            emailSubject: "Please sign the supply contract",
          },
        },
      }),
    },
  },
  box: {
    type: "FILE.UPLOADED",
    newId: uuid,
    content: {
      json: ({ type, at }) => ({
        type: "webhook_event",
        id: uuid(),
        created_at: at.toISOString(),
        trigger: type,
        webhook: { id: String(number(6)), type: "webhook" },
        created_by: { type: "user", id: String(number(8)), name: "Ada Brandt" },
        source: {
          id: String(number(12)),
          type: "file",
          name: "contract.pdf",
          size: 48_213,
        },
      }),
    },
  },
  notion: {
    type: "page.content_updated",
    newId: uuid,
    content: {
      json: ({ id, type, at }) => ({
        id,
        timestamp: at.toISOString(),
        workspace_id: uuid(),
        workspace_name: "Acme",
        subscription_id: uuid(),
        integration_id: uuid(),
        type,
        authors: [{ id: uuid(), type: "person" }],
        attempt_number: 1,
        entity: { id: uuid(), type: "page" },
        data: { parent: { id: uuid(), type: "space" } },
      }),
    },
  },
  webflow: {
    type: "form_submission",
    newId: uuid,
    content: {
      json: ({ type, at }) => ({
        triggerType: type,
        payload: {
          name: "Contact",
          siteId: hex(24),
          data: { Name: "Ada Brandt", Email: "ada@example.com" },
          submittedAt: at.toISOString(),
          id: hex(24),
          formId: hex(24),
        },
      }),
    },
  },
  calendly: {
    type: "invitee.created",
    newId: uuid,
    content: {
      json: ({ type, at }) => ({
        created_at: at.toISOString(),
        created_by: `https://api.calendly.com/users/${uuid()}`,
        event: type,
        payload: {
          email: "ada@example.com",
          name: "Ada Brandt",
          status: "active",
          timezone: "Europe/Berlin",
          uri: `https://api.calendly.com/scheduled_events/${uuid()}/invitees/${uuid()}`,
        },
      }),
    },
  },
  hubspot: {
    type: "contact.creation",
    newId: uuid,
    content: {
      json: ({ type, at }) => [
        {
          eventId: number(9),
          subscriptionId: number(6),
          portalId: number(8),
          appId: number(6),
          occurredAt: at.getTime(),
          subscriptionType: type,
          attemptNumber: 0,
          objectId: number(9),
          changeFlag: "CREATED",
          changeSource: "CRM",
        },
      ],
    },
  },
} as const satisfies Record<string, Sample>;
