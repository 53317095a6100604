import { hex, number, type Sample, uuid } from "./sample.ts";

const DEVELOPER = { name: "Ada Brandt", email: "ada@example.com" };

/** A push as GitHub and its relatives describe it. */
function push(host: string, at: Date): Record<string, unknown> {
  const [before, after] = [hex(40), hex(40)];
  const url = `https://${host}/acme/shop`;
  const commit = {
    id: after,
    message: "Round prices to cents",
    timestamp: at.toISOString(),
    url: `${url}/commit/${after}`,
    author: DEVELOPER,
    added: [],
    removed: [],
    modified: ["src/price.ts"],
  };
  return {
    ref: "refs/heads/main",
    before,
    after,
    repository: {
      id: 186853002,
      name: "shop",
      full_name: "acme/shop",
      private: true,
      html_url: url,
      default_branch: "main",
    },
    pusher: DEVELOPER,
    sender: { login: "ada", id: 21031067 },
    commits: [commit],
    head_commit: commit,
  };
}

/** Senders about code, tickets and operation. */
export const DEVELOPMENT_SAMPLES = {
  github: {
    type: "push",
    newId: uuid,
    content: { json: ({ at }) => push("github.com", at) },
  },
  gitea: {
    type: "push",
    newId: uuid,
    content: { json: ({ at }) => push("git.example.com", at) },
  },
  gitlab: {
    type: "Push Hook",
    newId: uuid,
    content: {
      json: ({ at }) => {
        const [before, after] = [hex(40), hex(40)];
        return {
          object_kind: "push",
          event_name: "push",
          before,
          after,
          ref: "refs/heads/main",
          checkout_sha: after,
          user_username: "ada",
          project_id: 15,
          project: {
            id: 15,
            name: "shop",
            path_with_namespace: "acme/shop",
            web_url: "https://gitlab.example.com/acme/shop",
          },
          commits: [
            {
              id: after,
              message: "Round prices to cents",
              timestamp: at.toISOString(),
              author: DEVELOPER,
            },
          ],
          total_commits_count: 1,
        };
      },
    },
  },
  bitbucket: {
    type: "repo:push",
    newId: uuid,
    content: {
      json: ({ at }) => ({
        actor: { type: "user", display_name: "Ada Brandt" },
        repository: { type: "repository", full_name: "acme/shop" },
        push: {
          changes: [
            {
              new: {
                type: "branch",
                name: "main",
                target: {
                  type: "commit",
                  hash: hex(40),
                  date: at.toISOString(),
                  message: "Round prices to cents\n",
                },
              },
              created: false,
              forced: false,
            },
          ],
        },
      }),
    },
  },
  jira: {
    type: "jira:issue_created",
    newId: uuid,
    content: {
      json: ({ type, at }) => ({
        timestamp: at.getTime(),
        webhookEvent: type,
        issue_event_type_name: "issue_created",
        user: { accountId: hex(24), displayName: "Ada Brandt" },
        issue: {
          id: String(number(5)),
          key: `SHOP-${number(3)}`,
          fields: {
            summary: "Prices are not rounded",
            issuetype: { name: "Bug" },
            priority: { name: "High" },
          },
        },
      }),
    },
  },
  linear: {
    type: "Issue",
    newId: uuid,
    content: {
      json: ({ type, at }) => ({
        action: "create",
        type,
        createdAt: at.toISOString(),
        data: {
          id: uuid(),
          number: number(3),
          title: "Prices are not rounded",
          priority: 2,
          team: { id: uuid(), key: "SHOP", name: "Shop" },
        },
        url: "https://linear.app/acme/issue/SHOP-128",
        organizationId: uuid(),
        webhookId: uuid(),
        webhookTimestamp: at.getTime(),
      }),
    },
  },
  sentry: {
    type: "issue",
    newId: () => hex(32),
    content: {
      json: ({ at }) => ({
        action: "created",
        installation: { uuid: uuid() },
        data: {
          issue: {
            id: String(number(10)),
            shortId: "SHOP-1A",
            title: "TypeError: price is undefined",
            culprit: "src/price.ts in round",
            level: "error",
            firstSeen: at.toISOString(),
          },
        },
        actor: { type: "application", id: "sentry", name: "Sentry" },
      }),
    },
  },
  vercel: {
    type: "deployment.succeeded",
    newId: () => hex(24),
    content: {
      json: ({ id, type, at }) => ({
        id,
        type,
        createdAt: at.getTime(),
        payload: {
          team: { id: `team_${hex(24)}` },
          project: { id: `prj_${hex(24)}` },
          deployment: {
            id: `dpl_${hex(24)}`,
            name: "shop",
            url: "shop-acme.vercel.app",
            meta: {},
          },
          target: "production",
        },
      }),
    },
  },
  pagerduty: {
    type: "incident.triggered",
    newId: () => `01${hex(24).toUpperCase()}`,
    content: {
      json: ({ id, type, at }) => ({
        event: {
          id,
          event_type: type,
          resource_type: "incident",
          occurred_at: at.toISOString(),
          agent: null,
          client: { name: "Monitoring" },
          data: {
            id: `P${hex(6).toUpperCase()}`,
            type: "incident",
            number: number(3),
            status: "triggered",
            title: "Checkout responds slowly",
            urgency: "high",
          },
        },
      }),
    },
  },
  workos: {
    type: "dsync.user.created",
    newId: () => `event_01${hex(24).toUpperCase()}`,
    content: {
      json: ({ id, type, at }) => ({
        id,
        event: type,
        created_at: at.toISOString(),
        data: {
          object: "directory_user",
          id: `directory_user_01${hex(24).toUpperCase()}`,
          first_name: "Ada",
          last_name: "Brandt",
          state: "active",
          emails: [{ primary: true, type: "work", value: "ada@example.com" }],
        },
      }),
    },
  },
} as const satisfies Record<string, Sample>;
