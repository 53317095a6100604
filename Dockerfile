# ---- All dependencies, installed once; both stages below continue from here.
FROM node:24-bookworm-slim AS dependencies
WORKDIR /app
# Without the sources: a change of code leaves this layer as it is.
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund

# ---- TypeScript to dist.
FROM dependencies AS build
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/build.mjs scripts/
COPY src src
COPY LICENSE ./
# The context has the modes of somebody's checkout: whatever its umask was, everyone may read and only root may write.
RUN npm run build \
 && chmod -R u=rwX,go=rX dist package.json LICENSE

# ---- What the service needs of node_modules.
FROM dependencies AS production
# The SQLite driver for Node 20 and what loads its binary: this Node has node:sqlite. No native module remains.
RUN npm prune --omit=dev --no-audit --no-fund --ignore-scripts \
 && rm -rf node_modules/@photostructure node_modules/node-gyp-build \
 && test -z "$(find node_modules -name '*.node')" \
 && chmod -R u=rwX,go=rX node_modules

# ---- The image: no sources, no development dependencies.
FROM node:24-bookworm-slim
# Temporary files, SQLite's too, go where there is room and nobody else reads: `--read-only` needs no tmpfs.
ENV NODE_ENV=production \
    DATABASE_URL=sqlite:/data/hexhook.db \
    TMPDIR=/data
# ADMIN_HOST stays 127.0.0.1: the management listener is for inside the container until an operator decides otherwise.

# Nothing but /data can be written: what the base image leaves open to everyone (/tmp and its like) is closed.
# 0700, since events are nobody else's business. A new named volume takes over this owner and mode; a folder of the host
# that is mounted there must belong to 10001 already. The first link lets `docker exec CONTAINER hexhook audit tail` work, the second
# `import { defineHandlers } from "hexhook"` from wherever a handlers module is mounted.
RUN find / -xdev -type d -perm -0002 -exec chmod o-w {} + \
 && install -d -m 0700 -o 10001 -g 10001 /data \
 && ln -s /app/dist/cli.js /usr/local/bin/hexhook \
 && mkdir /node_modules && ln -s /app /node_modules/hexhook
VOLUME /data

# Named one by one, and root's: what serves cannot rewrite itself. The least changed comes first.
WORKDIR /app
COPY --from=production --chown=0:0 /app/node_modules node_modules
COPY --from=build --chown=0:0 /app/package.json /app/LICENSE ./
COPY --from=build --chown=0:0 /app/dist dist

# By number: Kubernetes cannot prove of a name that it is not root. No account is needed.
USER 10001:10001
EXPOSE 3000

# /livez, not /readyz: what watches a health check restarts the container. A full disk or a changed audit trail is not
# cured by that, and while the service drains, /readyz is 503 on purpose. /readyz is for the load balancer.
# The image has neither curl nor wget. fetch alone does not fail on 503, and unanswered it would wait for minutes. A HOST
# that leaves out the loopback address needs a check of its own.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 3000}/livez`, { signal: AbortSignal.timeout(4000) }).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]

# Exec form: node is process 1 and gets SIGTERM itself, which `serve` answers by draining (DRAIN_SECONDS, then at most
# SHUTDOWN_SECONDS in all). The defaults, 3 and 9, fit the 10 seconds of `docker stop`; give it more time when you raise them.
ENTRYPOINT ["node", "--disable-sigusr1", "dist/cli.js"]
CMD ["serve"]

# Last, since they change with every commit and would throw away the layers behind them.
ARG VERSION=unknown
ARG REVISION=unknown
# RFC 3339; the beginning of time when nobody says.
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="hexhook" \
      org.opencontainers.image.description="A webhook receiver that a careful team would trust with its money: signed, replay-safe, durable before it answers, audited." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
