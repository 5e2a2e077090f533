# syntax=docker/dockerfile:1
# One static binary on an empty image: no shell, no package manager, no root.

FROM --platform=$BUILDPLATFORM golang:1.26.8 AS build
WORKDIR /src

# The modules change far less often than the code.
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download

COPY . .
ARG TARGETOS TARGETARCH
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -ldflags="-s -w" -o /out/hookflow ./cmd/hookflow

FROM scratch
# For Temporal Cloud, Sentry, Stripe's API and forwards: all are reached over TLS.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/hookflow /hookflow
# By number: the image has no /etc/passwd, and Kubernetes' runAsNonRoot believes numbers only.
USER 65532:65532
EXPOSE 8080 9090
ENTRYPOINT ["/hookflow"]
CMD ["serve"]
