# ---- All dependencies, installed once. The next two stages start from this one.
FROM node:24-bookworm-slim AS dependencies
WORKDIR /app
# The sources are not copied here, so a change of code does not rebuild this layer.
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund

# ---- Compile TypeScript to dist.
FROM dependencies AS build
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/build.mjs scripts/
COPY src src
COPY LICENSE ./
# Copied files keep the modes of the checkout. Set fixed modes: all users can read, and only root can write.
RUN npm run build \
 && chmod -R u=rwX,go=rX dist package.json LICENSE

# ---- Production dependencies.
FROM dependencies AS production
# This version of Node has node:sqlite. So remove the SQLite driver for Node 20 and its loader. No native module remains.
RUN npm prune --omit=dev --no-audit --no-fund --ignore-scripts \
 && rm -rf node_modules/@photostructure node_modules/node-gyp-build \
 && test -z "$(find node_modules -name '*.node')" \
 && chmod -R u=rwX,go=rX node_modules

# ---- The image, without sources and development dependencies.
FROM node:24-bookworm-slim
# Hexhook and SQLite write temporary files to /data. So `docker run --read-only` needs no tmpfs.
ENV NODE_ENV=production \
    DATABASE_URL=sqlite:/data/hexhook.db \
    TMPDIR=/data
# ADMIN_HOST stays 127.0.0.1: the management listener is reachable only inside the container unless an operator changes it.

# Only /data is writable. The directories of the base image that all users may write to, such as /tmp, lose that permission.
# Only the service may read events, so /data has mode 0700. Docker gives a new named volume the same owner and mode. If you mount a
# directory of the host instead, it must belong to user 10001. The first link is for `docker exec CONTAINER hexhook audit tail`.
# With the second one, a handlers module in any directory can import "hexhook".
RUN find / -xdev -type d -perm -0002 -exec chmod o-w {} + \
 && install -d -m 0700 -o 10001 -g 10001 /data \
 && ln -s /app/dist/cli.js /usr/local/bin/hexhook \
 && mkdir /node_modules && ln -s /app /node_modules/hexhook
VOLUME /data

# The files belong to root, so that the service cannot change its own code. The layers that change least come first.
WORKDIR /app
COPY --from=production --chown=0:0 /app/node_modules node_modules
COPY --from=build --chown=0:0 /app/package.json /app/LICENSE ./
COPY --from=build --chown=0:0 /app/dist dist

# The user is a number, because `runAsNonRoot` of Kubernetes cannot check a name. The user needs no account.
USER 10001:10001
EXPOSE 3000

# An orchestrator restarts an unhealthy container, so the check uses /livez. /readyz is for the load balancer: it also responds
# with 503 if the disk is full, if the audit trail was changed, or while the service drains. A restart would not help then.
# The image has no curl and no wget, so the check uses `fetch`. It checks `ok`, because `fetch` also resolves on a 503, and it sets
# a time limit, because `fetch` waits for minutes. If HOST excludes the loopback address, configure another health check.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 3000}/livez`, { signal: AbortSignal.timeout(4000) }).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]

# In this form, node is process 1 and receives SIGTERM. `serve` then drains for DRAIN_SECONDS, and stops within SHUTDOWN_SECONDS.
# The defaults are 3 and 9, and `docker stop` waits for 10 seconds. If you raise them, use `docker stop -t`.
ENTRYPOINT ["node", "--disable-sigusr1", "dist/cli.js"]
CMD ["serve"]

# These values change with every commit. They come last, because a changed layer rebuilds the layers after it.
ARG VERSION=unknown
ARG REVISION=unknown
# A time in RFC 3339.
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="hexhook" \
      org.opencontainers.image.description="A webhook receiver that verifies signatures, rejects replays, stores events durably before it responds, and audits every step." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
