# ---- All dependencies, installed once. The next two stages start from this one.
FROM node:24-bookworm-slim AS dependencies
WORKDIR /app
# Without the sources, so that a change of code does not rebuild this layer.
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund

# ---- Compile TypeScript to dist.
FROM dependencies AS build
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/build.mjs scripts/
COPY src src
COPY LICENSE ./
# Files of the context have the modes of the checkout. Set them: all users can read, only root can write.
RUN npm run build \
 && chmod -R u=rwX,go=rX dist package.json LICENSE

# ---- Production dependencies.
FROM dependencies AS production
# Remove the SQLite driver for Node 20 and its loader, since this Node has node:sqlite. No native module remains.
RUN npm prune --omit=dev --no-audit --no-fund --ignore-scripts \
 && rm -rf node_modules/@photostructure node_modules/node-gyp-build \
 && test -z "$(find node_modules -name '*.node')" \
 && chmod -R u=rwX,go=rX node_modules

# ---- The image, without sources and development dependencies.
FROM node:24-bookworm-slim
# Temporary files, also those of SQLite, go to /data. `docker run --read-only` therefore needs no tmpfs.
ENV NODE_ENV=production \
    DATABASE_URL=sqlite:/data/hexhook.db \
    TMPDIR=/data
# ADMIN_HOST stays 127.0.0.1: the management listener is reachable only inside the container unless an operator changes it.

# Only /data is writable: the world-writable directories of the base image, such as /tmp, lose that permission.
# Mode 0700, since only the service reads events. A new named volume gets this owner and mode. A mounted directory of the host
# must already belong to user 10001. The first link is for `docker exec CONTAINER hexhook audit tail`. The second one is for
# `import { defineHandlers } from "hexhook"` in a handlers module, mounted in any directory.
RUN find / -xdev -type d -perm -0002 -exec chmod o-w {} + \
 && install -d -m 0700 -o 10001 -g 10001 /data \
 && ln -s /app/dist/cli.js /usr/local/bin/hexhook \
 && mkdir /node_modules && ln -s /app /node_modules/hexhook
VOLUME /data

# Owned by root, so that the service cannot change its own code. The layers that change least come first.
WORKDIR /app
COPY --from=production --chown=0:0 /app/node_modules node_modules
COPY --from=build --chown=0:0 /app/package.json /app/LICENSE ./
COPY --from=build --chown=0:0 /app/dist dist

# A number, since `runAsNonRoot` of Kubernetes cannot check a name. The user needs no account.
USER 10001:10001
EXPOSE 3000

# /livez and not /readyz, since an orchestrator restarts an unhealthy container. A restart does not repair a full disk or a
# changed audit trail, and /readyz responds with 503 while the service drains. /readyz is for the load balancer.
# The image has no curl and no wget. `fetch` resolves on 503 and waits for minutes without a response: both are handled. If HOST
# excludes the loopback address, configure another health check.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 3000}/livez`, { signal: AbortSignal.timeout(4000) }).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]

# Exec form: node is process 1 and receives SIGTERM. `serve` then drains for DRAIN_SECONDS, and stops within SHUTDOWN_SECONDS.
# The defaults, 3 and 9, fit the 10 seconds that `docker stop` waits. If you raise them, use `docker stop -t`.
ENTRYPOINT ["node", "--disable-sigusr1", "dist/cli.js"]
CMD ["serve"]

# Last, since they change with every commit, and a changed layer rebuilds those after it.
ARG VERSION=unknown
ARG REVISION=unknown
# An RFC 3339 time.
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="hexhook" \
      org.opencontainers.image.description="A webhook receiver that verifies signatures, rejects replays, stores events durably before it responds, and audits every step." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
