# The image of Tollgate: docker build --tag tollgate .
# BASE may name a mirror or a digest. A slim Debian, not Alpine: the lock on the embedded ledger's folder is a
# prebuilt binary for glibc (docs/adr/0027-debian-image.md).
ARG BASE=node:24-trixie-slim

FROM ${BASE} AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build && rm dist/.tsbuildinfo && npm prune --omit=dev --no-audit --no-fund

FROM ${BASE}
ARG VERSION=0.0.0-local
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Tollgate" \
      org.opencontainers.image.description="Self-hosted usage metering and entitlements" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV NODE_ENV=production \
    HOST=0.0.0.0 \
    PORT=8080 \
    TOLLGATE_DATA_DIR=/data
WORKDIR /app
COPY package.json openapi.yaml CHANGELOG.md LICENSE ./
COPY migrations ./migrations
COPY --from=build /build/node_modules ./node_modules
COPY --from=build /build/dist ./dist
# A volume that is made here is owned by who may write to it.
RUN install --directory --owner=1000 --group=1000 --mode=0700 /data
VOLUME /data
USER 1000:1000
EXPOSE 8080
# Alive, not ready: who restarts a container that lost its database gains nothing.
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + process.env.PORT + '/healthz').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
STOPSIGNAL SIGTERM
CMD ["node", "--max-semi-space-size=32", "dist/cli/tollgate.js", "serve"]
